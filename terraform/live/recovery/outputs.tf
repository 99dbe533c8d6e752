output "cluster" {
  description = "Name, address and certificate of the cluster."
  value = {
    name                  = module.cluster.name
    endpoint              = module.cluster.endpoint
    certificate_authority = module.cluster.certificate_authority
    operator_role_arn     = module.cluster.operator_role_arn
  }
}

output "service_account_roles" {
  description = "Roles for service accounts, for the annotation eks.amazonaws.com/role-arn."
  value = {
    mooring-controller = module.delivery.controller_role_arn
    external-secrets   = module.delivery.external_secrets_role_arn
    cluster-autoscaler = module.cluster.autoscaler_role_arn
    serving            = module.delivery.serving_role_arns
  }
}

output "databases" {
  description = "Addresses of the databases and the secrets that hold their passwords."
  value       = { postgres = module.data.postgres, redshift = module.data.redshift, redis = module.data.redis_address }
}

output "secrets_to_set" {
  description = "Entries of Secrets Manager whose values people have to set."
  value       = module.delivery.secret_names
}

output "buckets" {
  description = "Buckets with the copies of data, models, health data and audit records."
  value       = local.copies
}
