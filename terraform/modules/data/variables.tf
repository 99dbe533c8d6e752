variable "name" {
  description = "Prefix of all names, such as mlops-production."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, beginning with a letter: it becomes part of the names of buckets and databases, which AWS limits."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Isolated subnets for databases, one for each zone."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 3
    error_message = "subnet_ids must name at least three subnets, one for each zone (slide 6: multi-AZ; slide 4: 3 AZs)."
  }
}

variable "client_security_group_ids" {
  description = "Groups whose members may connect to the databases, by name: the cluster's nodes."
  type        = map(string)
}

variable "data_key_arn" {
  description = "KMS key of everything but health data."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.data_key_arn))
    error_message = "data_key_arn must be the ARN of a KMS key: everything at rest is encrypted (slide 11, layer 3: S3, EBS, RDS)."
  }
}

variable "phi_key_arn" {
  description = "KMS key of health data, which no other data shares."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.phi_key_arn)) && var.phi_key_arn != var.data_key_arn
    error_message = "phi_key_arn must be the ARN of a KMS key that is not data_key_arn (slide 11: no shared storage with non-PHI data)."
  }
}

variable "logs_key_arn" {
  description = "KMS key of the databases' log groups."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.logs_key_arn))
    error_message = "logs_key_arn must be the ARN of a KMS key: nothing is stored unencrypted (slide 11, layer 3)."
  }
}

variable "logs_bucket" {
  description = "Bucket for access logs of the buckets made here."
  type        = string
  default     = ""

  validation {
    condition     = var.logs_bucket != "" || !var.create_buckets
    error_message = "logs_bucket must be given where buckets are made: accesses to data are logged (slide 11, layer 4)."
  }
}

variable "create_buckets" {
  description = "Whether to make the buckets. False in the recovery region, where the copies are the buckets."
  type        = bool
  default     = true
}

variable "lake_bucket_arn" {
  description = "The copy of the lake, where no buckets are made: the warehouse loads features from it."
  type        = string
  default     = ""

  validation {
    condition     = (var.lake_bucket_arn == "") == var.create_buckets
    error_message = "lake_bucket_arn must be given where no buckets are made, and only there: a restored warehouse loads from the copy of the lake (slide 15, scenario 2)."
  }
}

variable "lifecycle_days" {
  description = "Age in days from which objects are warm (Intelligent-Tiering) and cold (Glacier). Slide 6: 91 and 366, that is after 90 and 365 days."
  type        = object({ warm = number, cold = number })
  default     = { warm = 90, cold = 365 }

  validation {
    condition     = var.lifecycle_days.warm >= 30 && var.lifecycle_days.cold > var.lifecycle_days.warm
    error_message = "lifecycle_days: warm must be 30 at least, which S3 asks for, and cold must come after warm (slide 6: hot until 90 days, warm until 365, cold from there)."
  }
}

variable "artifact_retention_days" {
  description = "Days after which the artefacts of MLflow runs are deleted. Models are kept. Slide 13: 90."
  type        = number
  default     = 90

  validation {
    condition     = var.artifact_retention_days >= 30
    error_message = "artifact_retention_days must be 30 at least: a run has to outlive the review of the model that it made (slide 13: 90-day retention default)."
  }
}

variable "replication" {
  description = "Buckets in the second region by the names lake, models and phi: ARN and key of each. Null where there is none, as in development."
  type        = map(object({ arn = string, key_arn = string }))
  default     = null

  validation {
    condition     = var.replication == null || length(setsubtract(["lake", "models", "phi"], try(keys(var.replication), []))) == 0
    error_message = "replication must name lake, models and phi: all data is copied to the second region (slide 15)."
  }

  validation {
    condition     = var.replication == null || alltrue([for copy in values(try(coalesce(var.replication, {}), {})) : can(regex("^arn:aws[a-z-]*:kms:", copy.key_arn))])
    error_message = "replication: each key_arn must be the ARN of a KMS key: copies are encrypted as their originals are (slide 11, layer 3)."
  }
}

variable "redshift" {
  description = "The warehouse. nodes are in each of two zones where multi_az is on; backup_days is how long snapshots are kept."
  type = object({
    node_type   = optional(string, "ra3.xlplus")
    nodes       = optional(number, 3)
    multi_az    = optional(bool, true)
    concurrency = optional(number, 50)
    backup_days = optional(number, 30)
  })
  default = {}

  validation {
    condition     = startswith(var.redshift.node_type, "ra3.")
    error_message = "redshift.node_type must be an RA3 type: others cannot be multi-AZ (slide 6: ra3.xlplus, multi-AZ)."
  }

  validation {
    condition     = var.redshift.nodes >= 2 && var.redshift.concurrency >= 1 && var.redshift.concurrency <= 50
    error_message = "redshift: nodes must be 2 at least, and concurrency 1 to 50, the most that queues of a cluster can run together (slide 6: 50 concurrent queries)."
  }

  validation {
    condition     = var.redshift.backup_days >= 1 && var.redshift.backup_days <= 35
    error_message = "redshift.backup_days must be 1 to 35, AWS's bounds for automated snapshots."
  }
}

variable "redis" {
  description = "The feature cache: nodes in as many zones."
  type = object({
    node_type = optional(string, "cache.r6g.2xlarge")
    nodes     = optional(number, 3)
  })
  default = {}

  validation {
    condition     = var.redis.nodes >= 3 && var.redis.nodes <= 6
    error_message = "redis.nodes must be 3 to 6: a primary and replicas in other zones (slide 6: 3 nodes, multi-AZ); a group takes five replicas."
  }
}

variable "redis_auth_token" {
  description = "What clients of Redis say to be let in, from Secrets Manager. It is in the state, as in every version of the provider: the state is encrypted and readable to the pipeline alone."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9!&#$^<>-]{32,128}$", var.redis_auth_token))
    error_message = "redis_auth_token must be 32 to 128 letters, digits or !&#$^<>-: Redis lets nobody in without one (slide 11)."
  }
}

variable "postgres" {
  description = "The metadata database. storage_gb is gp3; backup_days is how long any point in time can be restored."
  type = object({
    instance_class = optional(string, "db.r5.xlarge")
    engine_version = optional(string, "16")
    storage_gb     = optional(number, 500)
    max_storage_gb = optional(number, 2000)
    multi_az       = optional(bool, true)
    backup_days    = optional(number, 30)
  })
  default = {}

  validation {
    condition     = var.postgres.backup_days >= 30 && var.postgres.backup_days <= 35
    error_message = "postgres.backup_days must be 30 at least (slide 6: 30-day retention of automated backups) and 35 at most, AWS's bound."
  }

  validation {
    condition     = var.postgres.storage_gb >= 20 && var.postgres.max_storage_gb > var.postgres.storage_gb
    error_message = "postgres: storage_gb must be 20 at least, and max_storage_gb above it, so that the disk can grow (slide 6: 500 GB gp3)."
  }
}

variable "postgres_restore_from" {
  description = "ARN of replicated automated backups to make the database from, at their latest point in time (slide 15, scenario 2). Empty: a new database."
  type        = string
  default     = ""

  validation {
    condition     = var.postgres_restore_from == "" || can(regex("^arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:auto-backup:", var.postgres_restore_from))
    error_message = "postgres_restore_from must be the ARN of automated backups (slide 15, scenario 2, step 2), as arn:aws:rds:us-west-2:123456789012:auto-backup:ab-…"
  }
}

variable "redshift_restore_from" {
  description = "Snapshot to make the warehouse from (slide 15, scenario 2). Empty: a new one."
  type        = string
  default     = ""
}
