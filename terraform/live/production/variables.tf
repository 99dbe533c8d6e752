variable "zones" {
  description = "Availability zones, in order; append only."
  type        = list(string)
  default     = ["us-east-1a", "us-east-1b", "us-east-1c"]
}

variable "reserved_cidrs" {
  description = "Networks that production must not overlap: the recovery region's, development's, the company's own."
  type        = list(string)
  default     = ["10.1.0.0/16", "10.2.0.0/16"]
}

variable "kubernetes_version" {
  description = "Kubernetes version of the cluster."
  type        = string
  default     = "1.35"
}

variable "teams" {
  description = "Teams with their cost centre, monthly budget in US dollars, and who is told."
  type = map(object({
    cost_center = string
    monthly_usd = number
    emails      = list(string)
  }))
}

variable "alert_emails" {
  description = "Addresses that are told of threats and of settings against the rules."
  type        = set(string)
}

variable "activate_cost_tags" {
  description = "Whether to make the tags columns of the bill: from the second day on, in the account that pays."
  type        = bool
  default     = false
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

variable "github_repository" {
  description = "OWNER/NAME of the repository whose CI pushes images. Empty: none."
  type        = string
  default     = ""
}

variable "dns" {
  description = "The platform's name and the load balancers that it leads to; null until they exist."
  type = object({
    zone_id     = string
    name        = string
    primary     = string
    secondary   = string
    health_path = optional(string, "/healthz")
  })
  default = null
}
