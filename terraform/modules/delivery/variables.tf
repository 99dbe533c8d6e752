variable "name" {
  description = "Prefix of all names, such as mlops-production."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, beginning with a letter: it becomes part of the names of roles, which AWS limits."
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

variable "controller_service_account" {
  description = "Namespace and name of the controller's service account, as in deploy/."
  type        = object({ namespace = string, name = string })
  default     = { namespace = "mooring-system", name = "mooring-controller" }

  validation {
    condition     = !strcontains("${var.controller_service_account.namespace}${var.controller_service_account.name}", "*")
    error_message = "controller_service_account must name one account: a wildcard gives the audit log's key to others (slide 11: IRSA)."
  }
}

variable "audit" {
  description = "The audit table and bucket, their key, and for how many years a record is locked."
  type = object({
    table_arn       = string
    bucket_arn      = string
    key_arn         = string
    retention_years = number
  })

  validation {
    condition     = var.audit.retention_years >= 7
    error_message = "audit.retention_years must be at least 7 (slide 12: 7-year retention)."
  }

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.audit.key_arn))
    error_message = "audit.key_arn must be the ARN of a KMS key: without it the controller could write no record (slide 11, layer 3: everything at rest is encrypted)."
  }
}

variable "model_buckets" {
  description = "Buckets that models are served from: ARN, key, the prefix of models where other data lies beside them, and the service accounts that read it, as NAMESPACE:NAME; NAMESPACE may have a * where teams have one each, such as *-production. except are accounts that such a * meets and that must not read it."
  type = map(object({
    arn              = string
    prefix           = optional(string, "")
    key_arn          = string
    service_accounts = list(string)
    except           = optional(list(string), [])
  }))

  validation {
    condition     = alltrue([for bucket in var.model_buckets : length(bucket.service_accounts) > 0 && alltrue([for account in bucket.service_accounts : can(regex("^[a-z0-9*-]*[a-z0-9-]+:[a-z][a-z0-9-]*[*]?$", account))])])
    error_message = "model_buckets: service_accounts must be NAMESPACE:NAME, neither of them * alone; Mooring's accounts are model-MODEL, so that NAME may end in * (slide 11: IRSA)."
  }

  validation {
    condition     = alltrue([for bucket in var.model_buckets : alltrue([for account in bucket.except : can(regex("^[a-z0-9*-]+:[a-z0-9*-]+$", account))])])
    error_message = "model_buckets: except must be NAMESPACE:NAME, such as *-phi-production:*, or it keeps nobody out (slide 11: no shared storage with non-PHI data)."
  }

  validation {
    condition     = alltrue([for bucket in var.model_buckets : can(regex("^arn:aws[a-z-]*:kms:", bucket.key_arn))])
    error_message = "model_buckets: each key_arn must be the ARN of a KMS key: without it a model server could read no model (slide 11, layer 3: everything at rest is encrypted)."
  }

  validation {
    condition     = alltrue([for bucket in var.model_buckets : bucket.prefix == "" || can(regex("^[a-z0-9][a-z0-9/-]*/$", bucket.prefix))])
    error_message = "model_buckets: prefix must be a folder such as models/, with the slash at its end, or S3 takes models-old/ for a part of it."
  }
}

variable "secrets_key_arn" {
  description = "KMS key of secrets and images."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.secrets_key_arn))
    error_message = "secrets_key_arn must be the ARN of a KMS key: nothing is stored unencrypted (slide 11, layer 3)."
  }
}

variable "secrets" {
  description = "Entries of Secrets Manager by name, with what is in each. Their values are set by people, never by Terraform."
  type        = map(string)
  default = {
    github-app     = "Id, installation and private key of Mooring's GitHub App"
    github-webhook = "Secret that GitHub signs webhooks with"
    mlflow         = "User and password of the MLflow registry"
    slack          = "Token of the Slack app"
    pagerduty      = "Routing key of PagerDuty"
    redis          = "Token of the feature cache"
  }
}

variable "secrets_replica" {
  description = "Second region that entries of Secrets Manager are copied to, and the key there (slide 15). Null where there is none."
  type        = object({ region = string, key_arn = string })
  default     = null

  validation {
    condition     = var.secrets_replica == null || can(regex("^arn:aws[a-z-]*:kms:${try(var.secrets_replica.region, "")}:", try(var.secrets_replica.key_arn, "")))
    error_message = "secrets_replica.key_arn must be the ARN of a KMS key of secrets_replica.region: nothing is stored unencrypted (slide 11, layer 3), and AWS encrypts a copy with a key beside it."
  }
}

variable "copied_secrets" {
  description = "ARNs of entries of Secrets Manager that another region's installation has copied here and that are read here, with the six characters at their end as a *."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.copied_secrets : can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9_-]+/[A-Za-z0-9/_*-]*$", arn))])
    error_message = "copied_secrets must be ARNs of Secrets Manager of one installation, as arn:aws:secretsmanager:us-west-2:123456789012:secret:mlops-production/*: others' secrets are not for this cluster (slide 11: IAM)."
  }
}

variable "repositories" {
  description = "Image repositories of ECR."
  type        = set(string)
  default     = ["mooring", "serving"]
}

variable "image_replication_region" {
  description = "Second region that images are copied to (slide 15). Empty where there is none."
  type        = string
  default     = ""
}

variable "github_repository" {
  description = "OWNER/NAME of the repository whose CI pushes images, from its main branch only. Empty: no role for it."
  type        = string
  default     = ""

  validation {
    condition     = var.github_repository == "" || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be OWNER/NAME without wildcards, or any repository of GitHub could push images (slide 11: IAM for infrastructure access)."
  }
}
