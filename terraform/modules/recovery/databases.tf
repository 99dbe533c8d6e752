# Backups of the databases, copied to the second region as they are made.

# Snapshots and the log: up to a few minutes before the region was lost can be restored. Slide 15
# would lose a day of PostgreSQL by its daily backups, against its own target of one hour.
resource "aws_db_instance_automated_backups_replication" "this" {
  region = var.recovery_region

  source_db_instance_arn = var.postgres_arn
  kms_key_id             = aws_kms_key.this["data"].arn
  retention_period       = var.backup_days
}

resource "aws_redshift_snapshot_copy_grant" "this" {
  region = var.recovery_region

  snapshot_copy_grant_name = "${var.name}-warehouse"
  kms_key_id               = aws_kms_key.this["data"].arn
}

# Redshift makes a snapshot every eight hours or 5 GB of changes. The warehouse holds features
# that are computed from the lake, so what is lost since is computed again.
resource "aws_redshift_snapshot_copy" "this" {

  cluster_identifier       = var.redshift_identifier
  destination_region       = var.recovery_region
  retention_period         = var.backup_days
  snapshot_copy_grant_name = aws_redshift_snapshot_copy_grant.this.snapshot_copy_grant_name
}
