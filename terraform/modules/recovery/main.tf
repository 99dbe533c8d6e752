# What waits in the second region (slide 15): keys, and the buckets that data, audit records and
# backups of the cluster are copied to.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id

  # DynamoDB copies the audit table by a role that an account has only once it has such a copy, which
  # a key policy must not name before: so it is a condition.
  replication = {
    StringEquals = { "kms:CallerAccount" = local.account }
    ArnEquals    = { "aws:PrincipalArn" = "arn:${data.aws_partition.current.partition}:iam::${local.account}:role/aws-service-role/replication.dynamodb.amazonaws.com/AWSServiceRoleForDynamoDBReplication" }
  }

  replication_statements = [
    {
      Sid       = "TableReplicas"
      Effect    = "Allow"
      Principal = { AWS = "*" }
      Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
      Resource  = "*"
      Condition = local.replication
    },
    {
      Sid       = "TableReplicasGrants"
      Effect    = "Allow"
      Principal = { AWS = "*" }
      Action    = ["kms:CreateGrant"]
      Resource  = "*"
      Condition = merge(local.replication, { Bool = { "kms:GrantIsForAWSResource" = "true" } })
    },
  ]

  # Copies by what is in them, with their keys. velero is written directly: a backup beside the
  # cluster would be lost with it.
  buckets = {
    lake   = { key = "data", classification = "confidential" }
    models = { key = "data", classification = "confidential" }
    phi    = { key = "phi", classification = "phi" }
    audit  = { key = "audit", classification = "confidential" }
    velero = { key = "data", classification = "confidential" }
  }
}

locals {
  # As in modules/data. The warm tier they have from the start: replication writes them as
  # STANDARD_IA, since nobody reads copies.
  data_prefixes = ["raw/", "processed/", "artifacts/experiments/"]
  cold          = { lake = local.data_prefixes, phi = local.data_prefixes }
}

resource "aws_kms_key" "this" {
  region   = var.recovery_region
  for_each = toset(["data", "phi", "audit", "secrets"])

  description             = "${var.name}: copies of ${each.key}"
  enable_key_rotation     = true
  rotation_period_in_days = 365 # Slide 11: KMS key rotation, annual.
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "AccountPolicies"
        Effect    = "Allow"
        Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      }],
      each.key == "audit" ? local.replication_statements : [],
    )
  })

  tags = each.key == "phi" ? { data-classification = "phi" } : {}
}

# live/recovery finds the keys by these names: it must not need the lost region's state.
resource "aws_kms_alias" "this" {
  region   = var.recovery_region
  for_each = aws_kms_key.this

  name          = "alias/${var.name}-${each.key}-copy"
  target_key_id = each.value.key_id
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_144:These are the copies in the second region.
  #checkov:skip=CKV_AWS_18:S3 writes access logs to a bucket of the same region only, and here is none; CloudTrail covers all regions.
  #checkov:skip=CKV2_AWS_62:Nothing reacts to copies.
  region   = var.recovery_region
  for_each = local.buckets

  bucket              = "${var.name}-${each.key}-copy-${local.account}"
  object_lock_enabled = each.key == "audit"

  tags = { data-classification = each.value.classification }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "this" {
  region   = var.recovery_region
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "audit" {
  region = var.recovery_region

  bucket = aws_s3_bucket.this["audit"].id

  rule {
    default_retention {
      mode  = "COMPLIANCE"
      years = var.audit_retention_years
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  region   = var.recovery_region
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this[each.value.key].arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  region   = var.recovery_region
  for_each = local.buckets

  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  #checkov:skip=CKV_AWS_300:The last rule ends broken uploads, for every object; checkov sees the dynamic rules only.
  region   = var.recovery_region
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  # Backups end after 30 days (slide 15): Velero deletes them itself then, and this is for what it
  # left. It is not for kopia/, where the files of volumes lie: a repository is written once, and
  # its packs are shared by backups of any age.
  dynamic "rule" {
    for_each = each.key == "velero" ? ["backups/", "restores/"] : []

    content {
      id     = "old-${trimsuffix(rule.value, "/")}"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      expiration {
        days = var.backup_days + 5
      }
    }
  }

  # Copies age as what they are of: S3 copies objects, not what lifecycle rules do to them.
  dynamic "rule" {
    for_each = lookup(local.cold, each.key, [])

    content {
      id     = "cold-${replace(trimsuffix(rule.value, "/"), "/", "-")}"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      transition {
        days          = var.cold_after_days
        storage_class = "DEEP_ARCHIVE"
      }
    }
  }

  dynamic "rule" {
    for_each = each.key == "lake" ? ["artifacts/runs/"] : []

    content {
      id     = "old-runs"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      expiration {
        days = var.artifact_retention_days
      }
    }
  }

  # Copies of what is locked never expire.
  dynamic "rule" {
    for_each = each.key == "audit" ? [] : [90]

    content {
      id     = "old-versions"
      status = "Enabled"

      filter {}

      noncurrent_version_expiration {
        noncurrent_days = rule.value
      }
    }
  }

  rule {
    id     = "broken-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

module "velero" {
  source = "../velero"

  name   = var.name
  oidc   = var.oidc
  bucket = { arn = aws_s3_bucket.this["velero"].arn, key_arn = aws_kms_key.this["data"].arn }
}
