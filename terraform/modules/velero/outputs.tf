output "role_arn" {
  description = "Role of Velero's service account, velero/velero."
  value       = aws_iam_role.velero.arn
}
