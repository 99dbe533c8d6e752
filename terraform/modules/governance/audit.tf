# The audit trail of slide 12, twice: a table to ask, and a bucket where nothing can be changed
# or deleted before its time by anybody.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
  trail_arn = "arn:${local.partition}:cloudtrail:${local.region}:${local.account}:trail/${var.name}"
}

resource "aws_dynamodb_table" "audit" {
  name                        = "${var.name}-audit"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "chain"    # Which log: one for each model repository.
  range_key                   = "sequence" # The place of a record in the chain of hashes.
  deletion_protection_enabled = true
  stream_enabled              = var.replica != null
  stream_view_type            = var.replica != null ? "NEW_AND_OLD_IMAGES" : null

  attribute {
    name = "chain"
    type = "S"
  }

  attribute {
    name = "sequence"
    type = "N"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.key_arns.audit
  }

  dynamic "replica" {
    for_each = var.replica == null ? [] : [var.replica]

    content {
      region_name                 = replica.value.region
      kms_key_arn                 = replica.value.key_arn
      point_in_time_recovery      = true
      deletion_protection_enabled = true
      propagate_tags              = true
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

# Whatever a policy allows anybody: a record is put and read, never changed or deleted. Puts that
# replace IAM cannot tell from those that add; see the controller's role in modules/delivery.
locals {
  audit_tables = merge(
    { (local.region) = aws_dynamodb_table.audit.arn },
    var.replica == null ? {} : { (try(var.replica.region, "")) = replace(aws_dynamodb_table.audit.arn, ":${local.region}:", ":${try(var.replica.region, "")}:") },
  )
}

resource "aws_dynamodb_resource_policy" "audit" {
  for_each = toset(concat([local.region], var.replica == null ? [] : [var.replica.region]))

  region       = each.key
  resource_arn = local.audit_tables[each.key]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RecordsStayAsTheyAre"
      Effect    = "Deny"
      Principal = "*"
      Action = [
        "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete",
        "dynamodb:UpdateTimeToLive",
      ]
      Resource = local.audit_tables[each.key]
      # But DynamoDB, where it copies to the other region: by its role, or as a service without an ARN,
      # which "not equal" would take for somebody else.
      Condition = {
        ArnNotEquals = { "aws:PrincipalArn" = "arn:${local.partition}:iam::${local.account}:role/aws-service-role/replication.dynamodb.amazonaws.com/AWSServiceRoleForDynamoDBReplication" }
        BoolIfExists = { "aws:PrincipalIsAWSService" = "false" }
      }
    }]
  })
}

resource "aws_s3_bucket" "audit" {
  #checkov:skip=CKV_AWS_144:Replicated by aws_s3_bucket_replication_configuration.audit where a second region exists; development has none.
  #checkov:skip=CKV2_AWS_62:CloudTrail records every write and read of this bucket; nothing has to react to one.
  bucket              = "${var.name}-audit-${local.account}"
  object_lock_enabled = true

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "audit" {
  bucket = aws_s3_bucket.audit.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "audit" {
  bucket = aws_s3_bucket.audit.id

  rule {
    default_retention {
      mode  = "COMPLIANCE" # Governance mode would let an administrator delete.
      years = var.retention_years
    }
  }

  depends_on = [aws_s3_bucket_versioning.audit]
}

resource "aws_s3_bucket_server_side_encryption_configuration" "audit" {
  bucket = aws_s3_bucket.audit.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.key_arns.audit
    }
  }
}

resource "aws_s3_bucket_public_access_block" "audit" {
  bucket                  = aws_s3_bucket.audit.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "audit" {
  bucket = aws_s3_bucket.audit.id

  # Records are read rarely after a year. They never expire here: that is for people to decide
  # once the lock has ended.
  rule {
    id     = "cold"
    status = "Enabled"

    filter {}

    transition {
      days          = 365
      storage_class = "GLACIER_IR"
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_logging" "audit" {
  bucket        = aws_s3_bucket.audit.id
  target_bucket = aws_s3_bucket.logs.id
  target_prefix = "s3/audit/"
}

resource "aws_s3_bucket_policy" "audit" {
  bucket = aws_s3_bucket.audit.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyTLS12OrLater"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.audit.arn, "${aws_s3_bucket.audit.arn}/*"]
        Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      },
      # Plain HTTP has no version of TLS that the denial above could compare.
      {
        Sid       = "OnlyTLS"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.audit.arn, "${aws_s3_bucket.audit.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        # The bucket encrypts with its key what says nothing.
        Sid       = "NoOtherKey"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = ["${aws_s3_bucket.audit.arn}/*"]
        Condition = {
          Null         = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" }
          ArnNotEquals = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = var.key_arns.audit }
        }
      },
      {
        Sid       = "NoOtherEncryption"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = ["${aws_s3_bucket.audit.arn}/*"]
        Condition = {
          Null            = { "s3:x-amz-server-side-encryption" = "false" }
          StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" }
        }
      },
      {
        Sid       = "RetentionOfSevenYearsAtLeast"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObjectRetention"
        Resource  = ["${aws_s3_bucket.audit.arn}/*"]
        Condition = { NumericLessThan = { "s3:object-lock-remaining-retention-days" = tostring(var.retention_years * 365) } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.audit]
}

resource "aws_s3_bucket_replication_configuration" "audit" {
  count = var.audit_replication == null ? 0 : 1

  bucket = aws_s3_bucket.audit.id
  role   = aws_iam_role.audit_replication[0].arn

  rule {
    id     = "everything"
    status = "Enabled"

    filter {}

    # A marker hides a record without deleting it. It hides one copy, not both.
    delete_marker_replication {
      status = "Disabled"
    }

    source_selection_criteria {
      sse_kms_encrypted_objects {
        status = "Enabled"
      }
    }

    destination {
      # In the same class: records are far smaller than the 128 KB that others charge for at least.
      bucket = var.audit_replication.bucket_arn

      encryption_configuration {
        replica_kms_key_id = var.audit_replication.key_arn
      }

      # Within 15 minutes, for the recovery point of one hour of slide 15.
      replication_time {
        status = "Enabled"

        time {
          minutes = 15
        }
      }

      metrics {
        status = "Enabled"

        event_threshold {
          minutes = 15
        }
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.audit]
}

# Without a condition on the account: S3 does not document that it sends one here, and what is not sent
# equals nothing, so that copies might silently end. A role is passed within its account only.
resource "aws_iam_role" "audit_replication" {
  count = var.audit_replication == null ? 0 : 1

  name = "${var.name}-audit-replication"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "s3.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "audit_replication" {
  count = var.audit_replication == null ? 0 : 1

  name = "replicate"
  role = aws_iam_role.audit_replication[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
        Resource = [aws_s3_bucket.audit.arn]
      },
      {
        Effect   = "Allow"
        Action   = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging", "s3:GetObjectRetention", "s3:GetObjectLegalHold"]
        Resource = ["${aws_s3_bucket.audit.arn}/*"]
      },
      {
        Effect   = "Allow"
        Action   = ["s3:ReplicateObject", "s3:ReplicateTags"]
        Resource = ["${var.audit_replication.bucket_arn}/*"]
      },
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [var.key_arns.audit]
      },
      {
        Effect   = "Allow"
        Action   = ["kms:Encrypt"]
        Resource = [var.audit_replication.key_arn]
      },
    ]
  })
}
