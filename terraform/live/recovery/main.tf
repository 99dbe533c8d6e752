# The platform in the second region, made when the first is lost (slide 15, scenario 2, step 3). It
# needs nothing of the first region: its state is in the second, its data are the copies, its
# databases are restored from replicated backups. Until then it is not applied and costs nothing.
#
# It has no module governance: production's CloudTrail covers all regions, the audit table and the
# locked bucket are its copies, and what both would make once in an account is there. While the
# first region is away, nothing new is recorded by CloudTrail, GuardDuty or AWS Config here
# (docs/roadmap.md).

locals {
  name    = "mlops-recovery"
  lost    = "mlops-production"
  account = data.aws_caller_identity.current.account_id

  # Buckets that production has filled, by what is in them.
  copies = { for name in ["lake", "models", "phi", "audit", "velero"] : name => "${local.lost}-${name}-copy-${local.account}" }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

data "aws_s3_bucket" "copy" {
  for_each = local.copies

  bucket = each.value
}

data "aws_kms_alias" "data" {
  name = "alias/${local.lost}-data-copy"
}

data "aws_kms_alias" "phi" {
  name = "alias/${local.lost}-phi-copy"
}

data "aws_kms_alias" "audit" {
  name = "alias/${local.lost}-audit-copy"
}

data "aws_kms_alias" "secrets" {
  name = "alias/${local.lost}-secrets-copy"
}

# The copy in this region of production's audit table: writes continue in it, and go back to the
# first region when it returns.
data "aws_dynamodb_table" "audit" {
  name = "${local.lost}-audit"
}

module "keys" {
  source = "../../modules/keys"

  name = local.name
}

module "network" {
  source = "../../modules/network"

  name           = local.name
  cluster_name   = local.name
  cidr           = "10.1.0.0/16"
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

module "data" {
  source = "../../modules/data"

  name                      = local.name
  vpc_id                    = module.network.vpc_id
  subnet_ids                = module.network.database_subnet_ids
  client_security_group_ids = { nodes = module.cluster.security_group_id }
  data_key_arn              = data.aws_kms_alias.data.target_key_arn
  phi_key_arn               = data.aws_kms_alias.phi.target_key_arn
  logs_key_arn              = module.keys.arns.logs
  create_buckets            = false
  lake_bucket_arn           = data.aws_s3_bucket.copy["lake"].arn
  redis_auth_token          = var.redis_auth_token
  postgres_restore_from     = var.postgres_backups_arn
  redshift_restore_from     = var.redshift_snapshot
}

module "delivery" {
  source = "../../modules/delivery"

  name            = local.name
  oidc            = { provider_arn = module.cluster.oidc_provider_arn, issuer = module.cluster.oidc_issuer }
  secrets_key_arn = data.aws_kms_alias.secrets.target_key_arn

  # Production's are here already: its images, and its secrets with the values people have set.
  repositories   = []
  secrets        = {}
  copied_secrets = ["arn:${data.aws_partition.current.partition}:secretsmanager:${data.aws_region.current.region}:${local.account}:secret:${local.lost}/*"]

  audit = {
    table_arn       = data.aws_dynamodb_table.audit.arn
    bucket_arn      = data.aws_s3_bucket.copy["audit"].arn
    key_arn         = data.aws_kms_alias.audit.target_key_arn
    retention_years = 7
  }

  model_buckets = {
    models = { arn = data.aws_s3_bucket.copy["models"].arn, key_arn = data.aws_kms_alias.data.target_key_arn, service_accounts = ["*-production:model-*"], except = ["*-phi-production:*"] }
    phi    = { arn = data.aws_s3_bucket.copy["phi"].arn, prefix = "models/", key_arn = data.aws_kms_alias.phi.target_key_arn, service_accounts = ["*-phi-production:model-*"] }
  }
}

# The cluster's objects are restored by it from the backups of the lost one, and backed up from then on.
module "velero" {
  source = "../../modules/velero"

  name   = local.name
  oidc   = { provider_arn = module.cluster.oidc_provider_arn, issuer = module.cluster.oidc_issuer }
  bucket = { arn = data.aws_s3_bucket.copy["velero"].arn, key_arn = data.aws_kms_alias.data.target_key_arn }
}
