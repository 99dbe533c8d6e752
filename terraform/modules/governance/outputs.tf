output "audit_table" {
  description = "Name and ARN of the audit table."
  value       = { name = aws_dynamodb_table.audit.name, arn = aws_dynamodb_table.audit.arn }
}

output "audit_bucket" {
  description = "Name and ARN of the bucket where audit records are locked."
  value       = { name = aws_s3_bucket.audit.id, arn = aws_s3_bucket.audit.arn }
}

output "logs_bucket" {
  description = "Name of the bucket for access logs."
  value       = aws_s3_bucket.logs.id

  depends_on = [aws_s3_bucket_policy.logs]
}

output "retention_years" {
  description = "Years for which audit records are locked."
  value       = var.retention_years
}

output "trail_topic_arn" {
  description = "Topic on which CloudTrail announces new files, for the SIEM."
  value       = aws_sns_topic.trail.arn
}

output "alerts_topic_arn" {
  description = "Topic on which threats and settings against the rules are announced, for PagerDuty or the SIEM."
  value       = aws_sns_topic.alerts.arn
}

output "people_group" {
  description = "Group of IAM users that gets nothing without a second factor; empty where another composition makes it."
  value       = try(aws_iam_group.people[0].name, "")
}
