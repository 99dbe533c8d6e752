# Production: the platform of the slides in us-east-1, with its copies in us-west-2.

locals {
  name     = "mlops-production"
  recovery = "us-west-2" # Slide 15.
}

module "keys" {
  source = "../../modules/keys"

  name = local.name
}

module "network" {
  source = "../../modules/network"

  name           = local.name
  cluster_name   = local.name
  cidr           = "10.0.0.0/16" # Slide 4.
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
}

module "governance" {
  source = "../../modules/governance"

  name                = local.name
  key_arns            = { audit = module.keys.arns.audit, logs = module.keys.arns.logs }
  teams               = var.teams
  alert_emails        = var.alert_emails
  activate_cost_tags  = var.activate_cost_tags
  watched_bucket_arns = [module.data.buckets.phi.arn, module.recovery.buckets.phi.arn, module.recovery.buckets.audit.arn]
  replica             = { region = local.recovery, key_arn = module.recovery.key_arns.audit }
  audit_replication   = { bucket_arn = module.recovery.buckets.audit.arn, key_arn = module.recovery.key_arns.audit }
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
  replication               = { for name in ["lake", "models", "phi"] : name => { arn = module.recovery.buckets[name].arn, key_arn = module.recovery.buckets[name].key_arn } }
}

module "delivery" {
  source = "../../modules/delivery"

  name                     = local.name
  oidc                     = { provider_arn = module.cluster.oidc_provider_arn, issuer = module.cluster.oidc_issuer }
  secrets_key_arn          = module.keys.arns.secrets
  github_repository        = var.github_repository
  image_replication_region = local.recovery
  secrets_replica          = { region = local.recovery, key_arn = module.recovery.key_arns.secrets }

  audit = {
    table_arn       = module.governance.audit_table.arn
    bucket_arn      = module.governance.audit_bucket.arn
    key_arn         = module.keys.arns.audit
    retention_years = module.governance.retention_years
  }

  # Namespaces are {team}-{environment}, as in the model repository.
  model_buckets = {
    models = { arn = module.data.buckets.models.arn, key_arn = module.data.buckets.models.key_arn, service_accounts = ["*-production:model-*"], except = ["*-phi-production:*"] }
    phi    = { arn = module.data.buckets.phi.arn, prefix = "models/", key_arn = module.data.buckets.phi.key_arn, service_accounts = ["*-phi-production:model-*"] }
  }
}

module "recovery" {
  source = "../../modules/recovery"

  name                = local.name
  recovery_region     = local.recovery
  postgres_arn        = module.data.postgres.arn
  redshift_identifier = module.data.redshift.identifier
  oidc                = { provider_arn = module.cluster.oidc_provider_arn, issuer = module.cluster.oidc_issuer }
  dns                 = var.dns
}
