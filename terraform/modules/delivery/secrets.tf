# Entries without values: a value in Terraform would be in its state. People set them once
# (terraform/README.md), the External Secrets operator brings them into the cluster. Where there is a
# second region, each is copied there under the same name, value by value as people set it: when
# the first is lost, so are credentials that were only there, and GitHub shows a key once.

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:GitHub, Slack and PagerDuty issue these and offer no rotation that a function could call, so people rotate them.
  for_each = var.secrets

  name                    = "${var.name}/${each.key}"
  description             = each.value
  kms_key_id              = var.secrets_key_arn
  recovery_window_in_days = 30

  dynamic "replica" {
    for_each = var.secrets_replica == null ? [] : [var.secrets_replica]

    content {
      region     = replica.value.region
      kms_key_id = replica.value.key_arn
    }
  }
}

locals {
  # Copies that were made here before the first region was lost, and what is made here.
  readable_secrets = concat([for secret in aws_secretsmanager_secret.this : secret.arn], var.copied_secrets)
}

resource "aws_iam_role" "external_secrets" {
  name = "${var.name}-external-secrets"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = var.oidc.provider_arn }
      Condition = {
        StringEquals = {
          "${var.oidc.issuer}:sub" = "system:serviceaccount:external-secrets:external-secrets"
          "${var.oidc.issuer}:aud" = "sts.amazonaws.com"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "external_secrets" {
  name = "read"
  role = aws_iam_role.external_secrets.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
        Resource = local.readable_secrets
      },
      {
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [var.secrets_key_arn]
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${data.aws_region.current.region}.amazonaws.com" } }
      },
    ]
  })
}
