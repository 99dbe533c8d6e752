# What Mooring's controller may do in AWS: append to the audit log and read it back. Nothing else: its
# secrets come by the External Secrets operator, and in the cluster it acts by Kubernetes' RBAC.

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  controller = "${var.controller_service_account.namespace}:${var.controller_service_account.name}"

  locked = {
    StringEquals             = { "s3:object-lock-mode" = "COMPLIANCE" }
    NumericGreaterThanEquals = { "s3:object-lock-remaining-retention-days" = tostring(var.audit.retention_years * 365) }
  }
}

resource "aws_iam_role" "controller" {
  name = "${var.name}-mooring"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = var.oidc.provider_arn }
      Condition = {
        StringEquals = {
          "${var.oidc.issuer}:sub" = "system:serviceaccount:${local.controller}"
          "${var.oidc.issuer}:aud" = "sts.amazonaws.com"
        }
      }
    }]
  })
}

# A record is put and queried, never updated or deleted (slide 12: immutable). In the table IAM cannot
# tell a put that replaces from one that adds: the controller adds under the condition that the
# record does not exist, and a record that was replaced all the same differs from its locked copy in
# the bucket and breaks the chain of hashes. In the bucket it can: what is put must say
# "If-None-Match: *", and must be locked in the same request.
resource "aws_iam_role_policy" "audit" {
  name = "audit"
  role = aws_iam_role.controller.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "AppendAndRead"
        Effect   = "Allow"
        Action   = ["dynamodb:PutItem", "dynamodb:Query"]
        Resource = [var.audit.table_arn]
      },
      {
        # A copy counts only when it is locked, for as long as the law asks.
        Sid       = "PutLocked"
        Effect    = "Allow"
        Action    = ["s3:PutObject"]
        Resource  = ["${var.audit.bucket_arn}/*"]
        Condition = merge(local.locked, { Null = { "s3:if-none-match" = "false" } })
      },
      {
        Sid       = "Lock"
        Effect    = "Allow"
        Action    = ["s3:PutObjectRetention"]
        Resource  = ["${var.audit.bucket_arn}/*"]
        Condition = local.locked
      },
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource = [var.audit.key_arn]
        Condition = {
          StringEquals = {
            "kms:ViaService" = [
              "dynamodb.${data.aws_region.current.region}.amazonaws.com",
              "s3.${data.aws_region.current.region}.amazonaws.com",
            ]
          }
        }
      },
      {
        # Whatever else anyone attaches to this role.
        Sid    = "NeverChangeTheTrail"
        Effect = "Deny"
        Action = [
          "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete",
          "dynamodb:UpdateTable", "dynamodb:DeleteTable", "dynamodb:UpdateTimeToLive", "dynamodb:UpdateContinuousBackups",
          "dynamodb:PutResourcePolicy", "dynamodb:DeleteResourcePolicy",
          "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutObjectLegalHold", "s3:PutLifecycleConfiguration",
          "s3:DeleteBucket", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketVersioning", "s3:PutBucketObjectLockConfiguration",
          "s3:PutReplicationConfiguration",
        ]
        Resource = [var.audit.table_arn, var.audit.bucket_arn, "${var.audit.bucket_arn}/*"]
      },
    ]
  })
}
