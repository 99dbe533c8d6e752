# What the copies refuse, whoever asks: the same as what they are of (modules/data, modules/governance).
# Replication writes by actions of its own; this is for who writes once live/recovery is applied.

locals {
  # Its UNLOADs ask for S3's own key, as the lost one's (modules/data/lake.tf).
  restored_warehouse = "arn:${data.aws_partition.current.partition}:iam::${local.account}:role/${var.restored_name}-warehouse"
}

resource "aws_s3_bucket_policy" "this" {
  region   = var.recovery_region
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "OnlyTLS12OrLater"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.this[each.key].arn, "${aws_s3_bucket.this[each.key].arn}/*"]
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
      {
        Sid       = "NoOtherEncryption"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = ["${aws_s3_bucket.this[each.key].arn}/*"]
        Condition = merge({
          Null            = { "s3:x-amz-server-side-encryption" = "false" }
          StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" }
        }, each.key == "lake" ? { ArnNotEquals = { "aws:PrincipalArn" = local.restored_warehouse } } : {})
      },
      {
        Sid       = "NoOtherKey"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = ["${aws_s3_bucket.this[each.key].arn}/*"]
        Condition = {
          Null         = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" }
          ArnNotEquals = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = aws_kms_key.this[each.value.key].arn }
        }
      },
      ], each.key != "audit" ? [] : [
      {
        Sid       = "RetentionOfSevenYearsAtLeast"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObjectRetention"
        Resource  = ["${aws_s3_bucket.this[each.key].arn}/*"]
        Condition = { NumericLessThan = { "s3:object-lock-remaining-retention-days" = tostring(var.audit_retention_years * 365) } }
      },
    ])
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}
