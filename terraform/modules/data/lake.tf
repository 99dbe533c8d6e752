# The data lake of slide 6, the bucket that models are served from (slide 9: s3://mlops-models),
# and a bucket of its own with a key of its own for health data (slide 11).

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  buckets = var.create_buckets ? {
    lake   = { key = var.data_key_arn, classification = "confidential" }
    models = { key = var.data_key_arn, classification = "confidential" }
    phi    = { key = var.phi_key_arn, classification = "phi" }
  } : {}

  # What goes cold after a year, and what is only warm from then on. Health data is laid out as the
  # lake is: its models lie beside it in the same bucket, since other data must not share it.
  cold       = { lake = local.data_prefixes, models = [], phi = local.data_prefixes }
  never_cold = { lake = ["models/"], models = [""], phi = ["models/"] }

  data_prefixes = ["raw/", "processed/", "artifacts/experiments/"]

  # Slide 6. A folder exists in S3 by an object of its name.
  prefixes = [
    "raw/events/", "raw/logs/", "raw/external/",
    "processed/features/", "processed/training-data/", "processed/inference-data/",
    "models/",
    "artifacts/experiments/", "artifacts/runs/",
  ]
}

# Deviation from slides 6 and 9 (mlops-data-lake, mlops-models): names of buckets are unique in all of AWS,
# so these carry the installation's name and the account.
resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_144:Replicated by aws_s3_bucket_replication_configuration.this where a second region exists; development has none.
  #checkov:skip=CKV2_AWS_62:Nothing has to react to single objects; pipelines are scheduled.
  for_each = local.buckets

  bucket = "${var.name}-${each.key}-${data.aws_caller_identity.current.account_id}"

  tags = { data-classification = each.value.classification }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled" # Slide 15, scenario 3: corrupted data is restored from versions.
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = each.value.key
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyTLS12OrLater"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.this[each.key].arn, "${aws_s3_bucket.this[each.key].arn}/*"]
        # Deviation from slide 11 (TLS 1.3): older clients of the Java and Python runtimes in use
        # offer 1.2 only. S3 takes 1.3 from whoever offers it.
        Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      },
      # Plain HTTP has no version of TLS that the denial above could compare.
      {
        Sid       = "OnlyTLS"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.this[each.key].arn, "${aws_s3_bucket.this[each.key].arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      # The bucket encrypts with its key what says nothing. What asks for another way would evade
      # the key, and with it who may read (slide 11).
      #
      # Deviation for the warehouse in the lake: an UNLOAD that names no encryption asks for S3's own
      # key (AES-256, as slide 11 says), whatever the bucket's default is, and Feast's UNLOADs name
      # none. Its role writes processed/features/ and nothing else.
      {
        Sid       = "NoOtherEncryption"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = ["${aws_s3_bucket.this[each.key].arn}/*"]
        Condition = merge({
          Null            = { "s3:x-amz-server-side-encryption" = "false" }
          StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" }
        }, each.key == "lake" ? { ArnNotEquals = { "aws:PrincipalArn" = aws_iam_role.redshift.arn } } : {})
      },
      {
        Sid       = "NoOtherKey"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = ["${aws_s3_bucket.this[each.key].arn}/*"]
        Condition = {
          Null         = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" }
          ArnNotEquals = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = each.value.key }
        }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_logging" "this" {
  for_each = local.buckets

  bucket        = aws_s3_bucket.this[each.key].id
  target_bucket = var.logs_bucket
  target_prefix = "s3/${each.key}/"
}

# The three tiers of slide 6.
#
# Deviation: slide 6 says Glacier at $1 for a terabyte and month. Of S3's archive classes only
# Deep Archive costs that, so it is the cold tier; a restore takes up to 48 hours.
#
# Deviation: what is under models/, those of health data too, and the bucket of models never goes
# cold. A pod that starts must have its model at once, and models live longer than a year.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  #checkov:skip=CKV_AWS_300:The last rule ends broken uploads, for every object; checkov sees the dynamic rules only.
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  dynamic "rule" {
    for_each = local.cold[each.key]

    content {
      id     = "hot-warm-cold-${replace(trimsuffix(rule.value, "/"), "/", "-")}"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      transition {
        days          = var.lifecycle_days.warm
        storage_class = "INTELLIGENT_TIERING"
      }

      transition {
        days          = var.lifecycle_days.cold
        storage_class = "DEEP_ARCHIVE"
      }
    }
  }

  dynamic "rule" {
    for_each = local.never_cold[each.key]

    content {
      id     = "models-never-cold"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      transition {
        days          = var.lifecycle_days.warm
        storage_class = "INTELLIGENT_TIERING"
      }
    }
  }

  dynamic "rule" {
    for_each = each.key == "lake" ? ["artifacts/runs/"] : []

    content {
      id     = "old-runs" # Slide 13: delete old artifacts.
      status = "Enabled"

      # Not the folder itself, an object without content.
      filter {
        and {
          prefix                   = rule.value
          object_size_greater_than = 1
        }
      }

      expiration {
        days = var.artifact_retention_days
      }
    }
  }

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_object" "prefix" {
  for_each = var.create_buckets ? toset(local.prefixes) : toset([])

  bucket                 = aws_s3_bucket.this["lake"].id
  key                    = each.key
  content                = ""
  server_side_encryption = "aws:kms"
  kms_key_id             = var.data_key_arn
}
