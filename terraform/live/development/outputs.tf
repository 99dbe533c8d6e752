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
    serving            = module.delivery.serving_role_arns
  }
}

output "audit" {
  description = "The audit table and bucket."
  value       = { table = module.governance.audit_table.name, bucket = module.governance.audit_bucket.name }
}

output "buckets" {
  description = "Buckets of the data lake, of models and of health data."
  value       = { for name, bucket in module.data.buckets : name => bucket.name }
}

output "databases" {
  description = "Addresses of the databases and the secrets that hold their passwords."
  value       = { postgres = module.data.postgres, redshift = module.data.redshift, redis = module.data.redis_address }
}

output "secrets_to_set" {
  description = "Entries of Secrets Manager whose values people have to set."
  value       = module.delivery.secret_names
}

output "siem_topic_arn" {
  description = "Topic on which CloudTrail announces new files, for the SIEM."
  value       = module.governance.trail_topic_arn
}

output "alerts_topic_arn" {
  description = "Topic on which threats and settings against the rules are announced, for PagerDuty or the SIEM."
  value       = module.governance.alerts_topic_arn
}

output "people_group" {
  description = "Group for every IAM user: nothing works for its members without a second factor."
  value       = module.governance.people_group
}
