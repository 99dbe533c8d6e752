output "buckets" {
  description = "Buckets in the second region by what is in them (lake, models, phi, audit, velero): name, ARN and key."
  value = {
    for name, bucket in aws_s3_bucket.this : name => {
      name    = bucket.id
      arn     = bucket.arn
      key_arn = aws_kms_key.this[local.buckets[name].key].arn
    }
  }

  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_object_lock_configuration.audit]
}

output "key_arns" {
  description = "Keys in the second region by what they encrypt: data, phi, audit, secrets."
  value       = { for name, key in aws_kms_key.this : name => key.arn }
}

output "postgres_backups_arn" {
  description = "Replicated backups of the metadata database, for postgres_restore_from in live/recovery."
  value       = aws_db_instance_automated_backups_replication.this.id
}

output "velero_role_arn" {
  description = "Role of Velero's service account, velero/velero."
  value       = module.velero.role_arn
}
