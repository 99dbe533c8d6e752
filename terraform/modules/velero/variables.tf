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

variable "bucket" {
  description = "The bucket of backups, in the second region: ARN, and the key that encrypts it."
  type        = object({ arn = string, key_arn = string })

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.bucket.key_arn))
    error_message = "bucket.key_arn must be the ARN of a KMS key: backups have secrets in them, and nothing is stored unencrypted (slide 11, layer 3)."
  }
}
