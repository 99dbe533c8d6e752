variable "zones" {
  description = "Availability zones, in order; append only."
  type        = list(string)
  default     = ["us-west-2a", "us-west-2b", "us-west-2c"]
}

variable "reserved_cidrs" {
  description = "Networks that recovery must not overlap: production's, development's, the company's own."
  type        = list(string)
  default     = ["10.0.0.0/16", "10.2.0.0/16"]
}

variable "kubernetes_version" {
  description = "Kubernetes version of the cluster."
  type        = string
  default     = "1.35"
}

variable "cost_center" {
  description = "Cost centre of what no team has for itself: the platform."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9 _.:/=+@-]*$", var.cost_center))
    error_message = "cost_center must be given, in letters that AWS allows in tags: a cost that nobody bears is nobody's to save (slide 13: tag all resources with team and cost-center)."
  }
}

variable "operators" {
  description = "ARNs of IAM users who may take the operator role of the cluster, with a second factor."
  type        = list(string)
}

variable "api_client_cidrs" {
  description = "Private networks, of a VPN or a peered VPC, from which operators reach the API server."
  type        = list(string)
  default     = []
}

variable "redis_auth_token" {
  description = "Token of the feature cache; TF_VAR_redis_auth_token in the pipeline, from Secrets Manager."
  type        = string
  sensitive   = true
}

variable "postgres_backups_arn" {
  description = "Replicated backups of the metadata database: output recovery of live/production, or aws rds describe-db-instance-automated-backups in us-west-2."
  type        = string

  validation {
    condition     = var.postgres_backups_arn != ""
    error_message = "postgres_backups_arn must be given: an empty database would be no recovery (slide 15, scenario 2, step 2)."
  }
}

variable "redshift_snapshot" {
  description = "The newest copied snapshot of the warehouse: aws redshift describe-cluster-snapshots in us-west-2."
  type        = string

  validation {
    condition     = var.redshift_snapshot != ""
    error_message = "redshift_snapshot must be given: an empty warehouse would be no recovery (slide 15, scenario 2, step 2)."
  }
}
