output "cluster" {
  description = "Name, address and certificate of the cluster, the role that people operate it by, and the group of its nodes."
  value = {
    name                  = module.cluster.name
    endpoint              = module.cluster.endpoint
    certificate_authority = module.cluster.certificate_authority
    operator_role_arn     = module.cluster.operator_role_arn
    security_group_id     = module.cluster.security_group_id
  }
}

output "volume_keys" {
  description = "KMS keys for storage classes of the EBS driver (parameter kmsKeyId): disks for all volumes but those of health data, phi for these."
  value       = { disks = module.keys.arns.disks, phi = module.keys.arns.phi }
}

output "service_account_roles" {
  description = "Roles for service accounts, for the annotation eks.amazonaws.com/role-arn."
  value = {
    mooring-controller = module.delivery.controller_role_arn
    external-secrets   = module.delivery.external_secrets_role_arn
    cluster-autoscaler = module.cluster.autoscaler_role_arn
    velero             = module.velero.role_arn
    serving            = module.delivery.serving_role_arns
  }
}

output "databases" {
  description = "Addresses of the databases and the secrets that hold their passwords."
  value       = { postgres = module.data.postgres, redshift = module.data.redshift, redis = module.data.redis_address }
}

output "buckets" {
  description = "Buckets with the copies of data, models, health data and audit records, and with backups of the cluster."
  value       = local.copies
}
