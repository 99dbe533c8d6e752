output "controller_role_arn" {
  description = "Role of Mooring's controller, for the annotation eks.amazonaws.com/role-arn of its service account."
  value       = aws_iam_role.controller.arn
}

output "serving_role_arns" {
  description = "Roles of model servers by the bucket that they read."
  value       = { for name, role in aws_iam_role.serving : name => role.arn }
}

output "external_secrets_role_arn" {
  description = "Role of the External Secrets operator, external-secrets/external-secrets."
  value       = aws_iam_role.external_secrets.arn
}

output "secret_names" {
  description = "Entries of Secrets Manager whose values people have to set."
  value       = [for secret in aws_secretsmanager_secret.this : secret.name]
}

output "repository_urls" {
  description = "Image repositories by name."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}

output "push_role_arn" {
  description = "Role by which CI pushes images; empty where no repository is given."
  value       = try(aws_iam_role.push[0].arn, "")
}
