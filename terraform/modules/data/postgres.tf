# The metadata of MLflow, Feast and the platform (slide 6).
#
# Slide 15 gives PostgreSQL a recovery point of 24 hours by daily backups, and the platform one of
# an hour. Automated backups keep the log as well, so any point in time up to five minutes ago
# can be restored, here and, by their replication in the module recovery, in the second region.

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_133:backup_retention_period is var.postgres.backup_days, at least 30 by its validation.
  #checkov:skip=CKV_AWS_157:multi_az is var.postgres.multi_az, on by default; live/production leaves it so and its test says so.
  identifier     = "${var.name}-metadata"
  engine         = "postgres"
  engine_version = var.postgres.engine_version
  instance_class = var.postgres.instance_class
  multi_az       = var.postgres.multi_az

  storage_type          = "gp3"
  allocated_storage     = var.postgres.storage_gb
  max_allocated_storage = var.postgres.max_storage_gb
  storage_encrypted     = true
  kms_key_id            = var.data_key_arn

  db_name  = var.postgres_restore_from == "" ? "platform" : null
  username = var.postgres_restore_from == "" ? "platform_admin" : null

  # Secrets Manager makes, keeps and rotates the password: it is in no state and no variable.
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = var.data_key_arn
  iam_database_authentication_enabled = true

  db_subnet_group_name   = aws_db_subnet_group.this.name
  parameter_group_name   = aws_db_parameter_group.this.name
  vpc_security_group_ids = [aws_security_group.database["postgres"].id]
  publicly_accessible    = false
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  backup_retention_period    = var.postgres.backup_days
  backup_window              = "03:00-04:00"
  maintenance_window         = "sun:04:30-sun:05:30"
  delete_automated_backups   = false
  copy_tags_to_snapshot      = true
  deletion_protection        = true
  skip_final_snapshot        = false
  final_snapshot_identifier  = "${var.name}-metadata-final"
  auto_minor_version_upgrade = true

  enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.data_key_arn
  performance_insights_retention_period = 7

  dynamic "restore_to_point_in_time" {
    for_each = var.postgres_restore_from == "" ? [] : [var.postgres_restore_from]

    content {
      source_db_instance_automated_backups_arn = restore_to_point_in_time.value
      use_latest_restorable_time               = true
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [aws_cloudwatch_log_group.postgres]
}

resource "aws_db_subnet_group" "this" {
  name       = "${var.name}-metadata"
  subnet_ids = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name}-metadata-"
  family      = "postgres${split(".", var.postgres.engine_version)[0]}"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "ssl_min_protocol_version"
    value = "TLSv1.2"
  }

  # What changes the schema, and what is slow. Statements with data in them are not logged.
  parameter {
    name  = "log_statement"
    value = "ddl"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "postgres" {
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${var.name}-metadata/${each.key}"
  retention_in_days = 2557 # Seven years (slide 12).
  kms_key_id        = var.logs_key_arn
}

resource "aws_iam_role" "monitoring" {
  name = "${var.name}-rds-monitoring"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
