# The warehouse of slide 6: three ra3.xlplus, multi-AZ, 50 concurrent queries.
#
# Deviation: AWS counts the nodes of a multi-AZ cluster for each of its two zones, so "3 nodes,
# multi-AZ" are six that are paid.

resource "aws_redshift_cluster" "this" {
  #checkov:skip=CKV_AWS_71:By aws_redshift_logging.this; the block in the cluster is gone from the provider.
  cluster_identifier = "${var.name}-warehouse"
  node_type          = var.redshift.node_type
  cluster_type       = "multi-node"
  number_of_nodes    = var.redshift.nodes
  multi_az           = var.redshift.multi_az
  database_name      = "features"
  master_username    = "warehouse_admin"

  # Secrets Manager makes, keeps and rotates the password: it is in no state and no variable.
  manage_master_password            = true
  master_password_secret_kms_key_id = var.data_key_arn

  encrypted                    = true
  kms_key_id                   = var.data_key_arn
  publicly_accessible          = false
  enhanced_vpc_routing         = true
  cluster_subnet_group_name    = aws_redshift_subnet_group.this.name
  cluster_parameter_group_name = aws_redshift_parameter_group.this.name
  vpc_security_group_ids       = [aws_security_group.database["redshift"].id]
  default_iam_role_arn         = aws_iam_role.redshift.arn
  iam_roles                    = [aws_iam_role.redshift.arn]

  # Relocation is how a single-AZ cluster leaves a failed zone; multi-AZ excludes it.
  availability_zone_relocation_enabled = !var.redshift.multi_az

  automated_snapshot_retention_period = var.redshift.backup_days
  skip_final_snapshot                 = false
  final_snapshot_identifier           = "${var.name}-warehouse-final"
  snapshot_identifier                 = var.redshift_restore_from == "" ? null : var.redshift_restore_from
  allow_version_upgrade               = true

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [snapshot_identifier] # What it was made from; the snapshot may be gone by now.
  }
}

resource "aws_redshift_subnet_group" "this" {
  name       = "${var.name}-warehouse"
  subnet_ids = var.subnet_ids
}

resource "aws_redshift_parameter_group" "this" {
  name   = "${var.name}-warehouse"
  family = "redshift-1.0"

  parameter {
    name  = "require_ssl"
    value = "true"
  }

  parameter {
    name  = "use_fips_ssl"
    value = "true" # Slide 11: FIPS 140-2.
  }

  parameter {
    name  = "enable_user_activity_logging"
    value = "true"
  }

  parameter {
    name  = "wlm_json_configuration"
    value = jsonencode([{ query_concurrency = var.redshift.concurrency }, { short_query_queue = true }])
  }
}

resource "aws_redshift_logging" "this" {
  cluster_identifier   = aws_redshift_cluster.this.id
  log_destination_type = "cloudwatch"
  log_exports          = local.redshift_logs

  depends_on = [aws_cloudwatch_log_group.redshift]
}

locals {
  redshift_logs = ["connectionlog", "useractivitylog", "userlog"]
  lake_arn      = var.create_buckets ? aws_s3_bucket.this["lake"].arn : var.lake_bucket_arn
}

resource "aws_cloudwatch_log_group" "redshift" {
  for_each = toset(local.redshift_logs)

  name              = "/aws/redshift/cluster/${var.name}-warehouse/${each.key}"
  retention_in_days = 2557 # Seven years (slide 12).
  kms_key_id        = var.logs_key_arn
}

# Without a condition on the account, which Redshift does not document to send: it documents external
# ids of single database users. A role is passed within its account only.
resource "aws_iam_role" "redshift" {
  name = "${var.name}-warehouse"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "redshift.amazonaws.com" }
    }]
  })
}

# Features are unloaded from the warehouse, and loaded into it with what they are made of; raw data
# and models are not its. What it writes may bypass the lake's key (see lake.tf), so it writes
# features alone.
resource "aws_iam_role_policy" "redshift" {
  name = "features"
  role = aws_iam_role.redshift.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${local.lake_arn}/processed/*"]
      },
      {
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = ["${local.lake_arn}/processed/features/*"]
      },
      {
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = [local.lake_arn]
        Condition = { StringLike = { "s3:prefix" = ["processed/*"] } }
      },
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [var.data_key_arn]
      },
    ]
  })
}
