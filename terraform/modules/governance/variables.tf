variable "name" {
  description = "Prefix of all names, such as mlops-production."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, beginning with a letter: it becomes part of the names of buckets and roles, which AWS limits."
  }
}

variable "retention_years" {
  description = "Years for which nobody, not even the account's root, can delete audit records. Slide 12: seven."
  type        = number
  default     = 7

  validation {
    condition     = var.retention_years >= 7 && floor(var.retention_years) == var.retention_years
    error_message = "retention_years must be a whole number of at least 7 (slide 12: 7-year retention, immutable)."
  }

  validation {
    condition     = var.retention_years <= 10
    error_message = "retention_years may be 10 at most: what S3 locks in compliance mode nobody can undo, and CloudWatch keeps logs for ten years."
  }
}

variable "log_retention_days" {
  description = "Days that CloudTrail's log group is kept."
  type        = number
  default     = 2557

  validation {
    condition     = contains([2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be at least seven years (slide 12), in one of the steps that CloudWatch has from there: 2557, 2922, 3288 or 3653."
  }
}

variable "replica" {
  description = "Second region of the audit table, and the key there (slide 15). Null where there is none, as in development."
  type        = object({ region = string, key_arn = string })
  default     = null

  validation {
    condition     = var.replica == null || can(regex("^arn:aws[a-z-]*:kms:${try(var.replica.region, "")}:", try(var.replica.key_arn, "")))
    error_message = "replica.key_arn must be the ARN of a KMS key of replica.region: nothing is stored unencrypted (slide 11, layer 3), and DynamoDB encrypts a copy with a key beside it."
  }
}

variable "audit_replication" {
  description = "Bucket in the second region that audit records are copied to, and the key there. Null where there is none."
  type        = object({ bucket_arn = string, key_arn = string })
  default     = null

  validation {
    condition     = var.audit_replication == null || can(regex("^arn:aws[a-z-]*:kms:", try(var.audit_replication.key_arn, "")))
    error_message = "audit_replication.key_arn must be the ARN of a KMS key: copies of audit records are encrypted as they are (slide 11, layer 3)."
  }
}

variable "key_arns" {
  description = "KMS keys of the audit trail and of logs."
  type        = object({ audit = string, logs = string })

  validation {
    condition     = alltrue([for arn in values(var.key_arns) : can(regex("^arn:aws[a-z-]*:kms:", arn))]) && var.key_arns.audit != var.key_arns.logs
    error_message = "key_arns must be the ARNs of two different KMS keys: nothing is stored unencrypted (slide 11, layer 3), and who reads logs does not read the audit trail."
  }
}

variable "teams" {
  description = "Teams that are charged for what they use (slide 13): cost centre, monthly budget in whole US dollars, who is told at 80 % and 100 %."
  type = map(object({
    cost_center = string
    monthly_usd = number
    emails      = list(string)
  }))

  validation {
    condition     = alltrue([for team in var.teams : team.monthly_usd > 0 && floor(team.monthly_usd) == team.monthly_usd])
    error_message = "monthly_usd of each team must be a whole number of dollars above 0 (slide 13: teams pay for their usage)."
  }

  validation {
    condition     = alltrue([for team in var.teams : length(team.emails) > 0 && length(team.cost_center) > 0])
    error_message = "Each team needs a cost_center and at least one address in emails: a budget that nobody hears of and a cost that nobody bears save nothing (slide 13)."
  }
}

variable "alert_emails" {
  description = "Addresses that are told of threats and of settings against the rules."
  type        = set(string)

  validation {
    condition     = length(var.alert_emails) > 0 && alltrue([for email in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+$", email))])
    error_message = "alert_emails must name at least one address: a threat that GuardDuty sees and nobody hears of is not detected (slide 11, layer 4)."
  }
}

variable "watched_bucket_arns" {
  description = "Buckets, besides that of the audit trail, of which CloudTrail records who reads and writes each object: health data, and copies in the second region."
  type        = list(string)
  default     = []
}

variable "activate_cost_tags" {
  description = "Whether to make the tags columns of the bill. True from the second day on, and in the account that pays: AWS knows a tag about a day after a resource has it."
  type        = bool
  default     = false
}

variable "account_services" {
  description = "Whether to make what an account has only once: GuardDuty, AWS Config, defaults for encryption and public access, password rules. False where another composition in the account does."
  type        = bool
  default     = true
}

variable "config_rules_off" {
  description = "Rules of AWS Config that an installation is made against on purpose, and would be alerted by for ever."
  type        = set(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.config_rules_off, ["rds-multi-az-support"])) == 0
    error_message = "config_rules_off may name rds-multi-az-support only, for installations that are no production (slide 6: multi-AZ); what the other rules watch, the modules allow nothing less of."
  }
}
