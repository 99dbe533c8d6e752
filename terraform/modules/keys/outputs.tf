output "arns" {
  description = "KMS keys by what they encrypt: audit, cluster, disks, data, phi, logs, secrets."
  value       = { for name, key in aws_kms_key.this : name => key.arn }
}
