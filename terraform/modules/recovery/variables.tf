variable "name" {
  description = "Prefix of all names, such as mlops-production."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, beginning with a letter: it becomes part of the names of buckets and roles, which AWS limits."
  }
}

variable "restored_name" {
  description = "Prefix of the names of what live/recovery makes."
  type        = string
  default     = "mlops-recovery"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.restored_name))
    error_message = "restored_name must be 3 to 31 lower-case letters, digits and hyphens, beginning with a letter: it is part of a role's name, which AWS limits."
  }
}

variable "audit_retention_years" {
  description = "Years for which copies of audit records are locked."
  type        = number
  default     = 7

  validation {
    condition     = var.audit_retention_years >= 7
    error_message = "audit_retention_years must be at least 7 (slide 12: 7-year retention): a copy that can be deleted earlier is none."
  }
}

variable "backup_days" {
  description = "Days that backups of the cluster and the databases are kept in the second region. Slide 15: 30."
  type        = number
  default     = 30

  validation {
    condition     = var.backup_days >= 30 && var.backup_days <= 35
    error_message = "backup_days must be 30 at least (slide 15: retention of RDS and Velero) and 35 at most, AWS's bound for automated backups."
  }
}

variable "cold_after_days" {
  description = "Age in days after which copies are cold (Glacier), as what they are of. Slide 6: 365. Warm they are from the start."
  type        = number
  default     = 365

  validation {
    condition     = var.cold_after_days >= 30
    error_message = "cold_after_days must be 30 at least, for which S3 charges in the class that copies begin in anyway (slide 6: cold after 365 days)."
  }
}

variable "artifact_retention_days" {
  description = "Days after which copies of artefacts of MLflow runs are deleted, as the artefacts are. Slide 13: 90."
  type        = number
  default     = 90

  validation {
    condition     = var.artifact_retention_days >= 30
    error_message = "artifact_retention_days must be 30 at least: a run has to outlive the review of the model that it made (slide 13: 90-day retention default)."
  }
}

variable "postgres_arn" {
  description = "The metadata database, whose automated backups are copied."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:db:", var.postgres_arn)) && !strcontains(var.postgres_arn, ":rds:${var.recovery_region}:")
    error_message = "postgres_arn must be the ARN of a database outside of recovery_region: a copy beside the original is lost with it (slide 15, scenario 2)."
  }
}

variable "redshift_identifier" {
  description = "The warehouse, whose snapshots are copied."
  type        = string
}

variable "recovery_region" {
  description = "The second region. Slide 15: us-west-2."
  type        = string
  default     = "us-west-2"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.recovery_region))
    error_message = "recovery_region must be the name of an AWS region, such as us-west-2 (slide 15)."
  }
}

variable "oidc" {
  description = "The cluster's identity provider: its ARN, and the issuer without https://."
  type        = object({ provider_arn = string, issuer = string })

  validation {
    condition     = !startswith(var.oidc.issuer, "https://")
    error_message = "oidc.issuer must be without https://: IAM compares it so, and a role whose condition never holds lets nobody in (slide 11: IRSA)."
  }
}

variable "dns" {
  description = <<-EOT
    The platform's name and where it leads: zone_id is the Route 53 zone; primary and secondary are
    the load balancers' names in the two regions, or names that lead to them, since the second
    region has one only once live/recovery is applied; health_path answers 200 over HTTPS while the
    platform works. Null until there are load balancers.
  EOT
  type = object({
    zone_id     = string
    name        = string
    primary     = string
    secondary   = string
    health_path = optional(string, "/healthz")
  })
  default = null

  validation {
    condition     = var.dns == null || try(var.dns.primary != var.dns.secondary, false)
    error_message = "dns: primary and secondary must differ (slide 15, scenario 2: failover DNS to us-west-2)."
  }
}
