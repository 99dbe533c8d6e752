# One key for each kind of data, so that who may read one kind reads no other (slide 11).

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
  trail_arn = "arn:${local.partition}:cloudtrail:${local.region}:${local.account}:trail/${var.name}"

  keys = {
    audit   = "the audit table and its bucket"
    cluster = "secrets in etcd"
    disks   = "the nodes' disks and the cluster's volumes"
    data    = "the lake, models and databases"
    phi     = "health data, on disks as well: it shares no key with anything else"
    logs    = "log groups, CloudTrail, AWS Config, and topics that tell of them"
    secrets = "entries of Secrets Manager, and images"
  }

  # Roles that AWS's services take in an account, and the keys that they need for it. A key policy
  # must not name a role that does not exist, and an account has them only once it has used the
  # service, so they are conditions.
  service_roles = {
    NodeDisks     = { role = "autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling", keys = ["disks", "phi"] }
    TableReplicas = { role = "replication.dynamodb.amazonaws.com/AWSServiceRoleForDynamoDBReplication", keys = ["audit"] }
  }

  service_role_conditions = {
    for sid, service in local.service_roles : sid => {
      StringEquals = { "kms:CallerAccount" = local.account }
      ArnEquals    = { "aws:PrincipalArn" = "arn:${local.partition}:iam::${local.account}:role/aws-service-role/${service.role}" }
    }
  }

  service_role_statements = {
    for sid, service in local.service_roles : sid => [
      {
        Sid       = sid
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = local.service_role_conditions[sid]
      },
      {
        Sid       = "${sid}Grants"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action    = ["kms:CreateGrant"]
        Resource  = "*"
        Condition = merge(local.service_role_conditions[sid], { Bool = { "kms:GrantIsForAWSResource" = "true" } })
      },
    ]
  }

  # Services that use a key themselves.
  service_statements = {
    logs = [
      {
        Sid       = "LogGroups"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:*" } }
      },
      {
        Sid       = "CloudTrail"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = ["kms:GenerateDataKey*", "kms:Decrypt", "kms:DescribeKey"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn } }
      },
      {
        Sid       = "Config"
        Effect    = "Allow"
        Principal = { Service = "config.amazonaws.com" }
        Action    = ["kms:GenerateDataKey*", "kms:Decrypt"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        # What is published to an encrypted topic is encrypted with the publisher's right.
        Sid       = "Topics"
        Effect    = "Allow"
        Principal = { Service = ["cloudtrail.amazonaws.com", "events.amazonaws.com"] }
        Action    = ["kms:GenerateDataKey*", "kms:Decrypt"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:sns:topicArn" = "arn:${local.partition}:sns:${local.region}:${local.account}:${var.name}-*" } }
      },
    ]
  }
}

resource "aws_kms_key" "this" {
  for_each = local.keys

  description             = "${var.name}: ${each.value}"
  enable_key_rotation     = true
  rotation_period_in_days = 365 # Slide 11: KMS key rotation, annual.
  deletion_window_in_days = var.key_deletion_days

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "AccountPolicies"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      }],
      lookup(local.service_statements, each.key, []),
      flatten([for sid, service in local.service_roles : local.service_role_statements[sid] if contains(service.keys, each.key)]),
    )
  })

  tags = each.key == "phi" ? { data-classification = "phi" } : {}
}

resource "aws_kms_alias" "this" {
  for_each = local.keys

  name          = "alias/${var.name}-${each.key}"
  target_key_id = aws_kms_key.this[each.key].key_id
}
