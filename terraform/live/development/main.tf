# Development: the same modules as production, so that what is tried here is what runs there, in
# an account of its own. Smaller machines, and no second region: what is lost here is made again.
# Encryption, retention and three zones are as in production; the modules allow nothing less.

locals {
  name = "mlops-development"
}

module "keys" {
  source = "../../modules/keys"

  name = local.name
}

module "network" {
  source = "../../modules/network"

  name           = local.name
  cluster_name   = local.name
  cidr           = "10.2.0.0/16"
  reserved_cidrs = var.reserved_cidrs
  zones          = var.zones
  logs_key_arn   = module.keys.arns.logs
  client_cidrs   = var.api_client_cidrs
}

module "cluster" {
  source = "../../modules/cluster"

  name               = local.name
  kubernetes_version = var.kubernetes_version
  subnet_ids         = module.network.private_subnet_ids
  secrets_key_arn    = module.keys.arns.cluster
  disks_key_arn      = module.keys.arns.disks
  phi_key_arn        = module.keys.arns.phi
  logs_key_arn       = module.keys.arns.logs
  operators          = var.operators
  api_client_cidrs   = var.api_client_cidrs

  # As slide 5, with less of it. The system group keeps one node in each zone.
  node_groups = {
    system            = { instance_types = ["m5.xlarge"], min = 3, desired = 3, max = 4 }
    compute           = { instance_types = ["m5.xlarge"], capacity = "SPOT", min = 0, desired = 1, max = 4 }
    compute-on-demand = { instance_types = ["m5.xlarge"], workload = "compute", min = 0, desired = 0, max = 4 }
    gpu               = { instance_types = ["g4dn.xlarge"], capacity = "SPOT", min = 0, desired = 0, max = 2, gpu = true, taints = ["nvidia.com/gpu=true:NoSchedule"] }
    gpu-on-demand     = { instance_types = ["g4dn.xlarge"], workload = "gpu", min = 0, desired = 0, max = 2, gpu = true, taints = ["nvidia.com/gpu=true:NoSchedule"] }
    phi               = { instance_types = ["m5.xlarge"], min = 0, desired = 0, max = 1, phi = true, taints = ["phi=true:NoSchedule"] }
  }
}

module "governance" {
  source = "../../modules/governance"

  name                = local.name
  key_arns            = { audit = module.keys.arns.audit, logs = module.keys.arns.logs }
  teams               = var.teams
  alert_emails        = var.alert_emails
  activate_cost_tags  = var.activate_cost_tags
  watched_bucket_arns = [module.data.buckets.phi.arn]
  config_rules_off    = ["rds-multi-az-support"] # Its PostgreSQL is in one zone.
}

module "data" {
  source = "../../modules/data"

  name                      = local.name
  vpc_id                    = module.network.vpc_id
  subnet_ids                = module.network.database_subnet_ids
  client_security_group_ids = { nodes = module.cluster.security_group_id }
  data_key_arn              = module.keys.arns.data
  phi_key_arn               = module.keys.arns.phi
  logs_key_arn              = module.keys.arns.logs
  logs_bucket               = module.governance.logs_bucket
  redis_auth_token          = var.redis_auth_token
  redshift                  = { nodes = 2, multi_az = false, backup_days = 1 }
  redis                     = { node_type = "cache.t4g.small" }
  postgres                  = { instance_class = "db.t4g.medium", storage_gb = 20, max_storage_gb = 100, multi_az = false }
}

module "delivery" {
  source = "../../modules/delivery"

  name            = local.name
  oidc            = { provider_arn = module.cluster.oidc_provider_arn, issuer = module.cluster.oidc_issuer }
  secrets_key_arn = module.keys.arns.secrets

  audit = {
    table_arn       = module.governance.audit_table.arn
    bucket_arn      = module.governance.audit_bucket.arn
    key_arn         = module.keys.arns.audit
    retention_years = module.governance.retention_years
  }

  # Namespaces are {team}-{environment}, as in the model repository.
  model_buckets = {
    models = { arn = module.data.buckets.models.arn, key_arn = module.data.buckets.models.key_arn, service_accounts = ["*-development:model-*"], except = ["*-phi-development:*"] }
    phi    = { arn = module.data.buckets.phi.arn, prefix = "models/", key_arn = module.data.buckets.phi.key_arn, service_accounts = ["*-phi-development:model-*"] }
  }
}
