variable "name" {
  description = "Name of the cluster, and prefix of all names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, beginning with a letter: it becomes part of the names of roles, which AWS limits."
  }
}

variable "kubernetes_version" {
  description = "Kubernetes version of the control plane and the nodes, such as 1.35. EKS supports a version for 14 months and upgrades by itself then; 1.35 until 2027-03-27."
  type        = string
  default     = "1.35"

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version)) && try(tonumber(split(".", var.kubernetes_version)[1]) >= 27, false)
    error_message = "kubernetes_version must be 1.27 or later (slide 5), written as 1.35."
  }
}

variable "subnet_ids" {
  description = "Private subnets for the control plane's interfaces and the nodes, one for each zone."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 3
    error_message = "subnet_ids must name at least three subnets, one for each zone (slide 5: multi-AZ API servers; slide 4: 3 AZs)."
  }
}

variable "secrets_key_arn" {
  description = "KMS key that encrypts Kubernetes secrets."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.secrets_key_arn))
    error_message = "secrets_key_arn must be the ARN of a KMS key: etcd is encrypted with one (slide 5: envelope encryption with KMS)."
  }
}

variable "disks_key_arn" {
  description = "KMS key that encrypts the nodes' disks and the cluster's volumes, but for those of health data."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.disks_key_arn))
    error_message = "disks_key_arn must be the ARN of a KMS key: everything at rest is encrypted (slide 11, layer 3: S3, EBS, RDS)."
  }
}

variable "phi_key_arn" {
  description = "KMS key that encrypts the disks of nodes for health data, and their volumes."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.phi_key_arn)) && var.phi_key_arn != var.disks_key_arn
    error_message = "phi_key_arn must be the ARN of a KMS key that is not disks_key_arn (slide 11: no shared storage with non-PHI data)."
  }
}

variable "logs_key_arn" {
  description = "KMS key that encrypts the control plane's logs."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.logs_key_arn))
    error_message = "logs_key_arn must be the ARN of a KMS key: nothing is stored unencrypted (slide 11, layer 3)."
  }
}

variable "log_retention_days" {
  description = "Days that the control plane's logs, the audit log among them, are kept."
  type        = number
  default     = 2557

  validation {
    condition     = contains([2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be at least seven years (slide 12: 7-year retention of what is audited), in one of the steps that CloudWatch has from there: 2557, 2922, 3288 or 3653."
  }
}

variable "public_access_cidrs" {
  description = "Networks that may reach the API server from the internet. Empty: private endpoint only."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : can(cidrhost(cidr, 0)) && try(tonumber(split("/", cidr)[1]) >= 24, false)])
    error_message = "public_access_cidrs must be networks of /24 or smaller: slide 11 allows the API server no public access, and an exception is for an office's gateway, not for the internet."
  }
}

variable "api_client_cidrs" {
  description = "Private networks, of a VPN or a peered VPC, whose machines reach the private API server. Nodes and pods reach it anyway."
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([for cidr in var.api_client_cidrs : can(cidrhost(cidr, 0)) && anytrue([
      can(regex("^10\\.", cidr)), can(regex("^172\\.(1[6-9]|2[0-9]|3[01])\\.", cidr)), can(regex("^192\\.168\\.", cidr)),
    ])])
    error_message = "api_client_cidrs must be private by RFC 1918, such as 10.100.0.0/24: slide 11 allows the API server no public access."
  }
}

variable "operators" {
  description = "ARNs of IAM users who may take the operator role, with a second factor only."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.operators : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:user/.+$", arn))])
    error_message = "operators must be ARNs of IAM users: who comes by another role has no second factor in AWS's eyes and is kept out, and slide 11 wants one of all people (its single sign-on is of the future)."
  }
}

variable "node_groups" {
  description = <<-EOT
    Node groups by name; the label workload-type has the name as its value, or workload where two
    groups serve the same pods. Sizes are nodes of the whole group. taints are KEY=VALUE:EFFECT as kubectl writes them; spot groups also get the taint
    spot-instance=true:NoSchedule of slide 13. disk_gb is the disk of images and pods. phi marks
    the group for health data: it gets FIPS 140 images and the key of health data. tags are put on
    the group's machines and disks over the default ones: team and cost-center, where one team pays
    for all of it (slide 13).
  EOT
  type = map(object({
    instance_types = list(string)
    workload       = optional(string)
    capacity       = optional(string, "ON_DEMAND")
    min            = number
    desired        = number
    max            = number
    gpu            = optional(bool, false)
    phi            = optional(bool, false)
    taints         = optional(list(string), [])
    disk_gb        = optional(number, 100)
    tags           = optional(map(string), {})
  }))

  # Slide 5, and the dedicated pool for health data of slide 11.
  #
  # Deviation from slide 5 (three types of nodes): compute and gpu exist on demand as well, with no
  # node until a pod asks. The slide's nodes are for training and batches, which spot suits; models
  # that customers wait for ask for what is not taken away (capacity: on-demand), and would have
  # waited for a node for ever.
  default = {
    system            = { instance_types = ["m5.2xlarge"], min = 3, desired = 3, max = 5 }
    compute           = { instance_types = ["m5.4xlarge"], capacity = "SPOT", min = 0, desired = 5, max = 20 }
    compute-on-demand = { instance_types = ["m5.4xlarge"], workload = "compute", min = 0, desired = 0, max = 20 }
    gpu               = { instance_types = ["g4dn.2xlarge"], capacity = "SPOT", min = 0, desired = 0, max = 10, gpu = true, taints = ["nvidia.com/gpu=true:NoSchedule"] }
    gpu-on-demand     = { instance_types = ["g4dn.2xlarge"], workload = "gpu", min = 0, desired = 0, max = 10, gpu = true, taints = ["nvidia.com/gpu=true:NoSchedule"] }
    phi               = { instance_types = ["m5.4xlarge"], min = 0, desired = 0, max = 4, phi = true, taints = ["phi=true:NoSchedule"] }
  }

  validation {
    condition     = alltrue([for name, group in var.node_groups : group.workload == null || (group.workload != "system" && contains(keys(var.node_groups), coalesce(group.workload, name)))])
    error_message = "node_groups: workload must be the name of another group than system, which is the platform's own (slide 5): a label that no group is named after is one that no pod asks for."
  }

  validation {
    condition     = alltrue([for group in var.node_groups : group.min <= group.max])
    error_message = "node_groups: min is above max in ${join(", ", [for name, group in var.node_groups : name if group.min > group.max])}. Slide 5 gives each group Min ≤ Desired ≤ Max."
  }

  validation {
    condition     = alltrue([for group in var.node_groups : group.min <= group.desired && group.desired <= group.max if group.min <= group.max])
    error_message = "node_groups: desired is outside of min and max in ${join(", ", [for name, group in var.node_groups : name if group.desired < group.min || group.desired > group.max])}. Slide 5 gives each group Min ≤ Desired ≤ Max."
  }

  validation {
    condition     = alltrue([for group in var.node_groups : group.min >= 0 && group.max >= 1 && floor(group.min) == group.min && floor(group.desired) == group.desired && floor(group.max) == group.max])
    error_message = "node_groups: min, desired and max must be whole numbers, min not below 0 and max not below 1, as EKS takes them (slide 5: Min, Max, Desired)."
  }

  validation {
    condition     = alltrue([for group in var.node_groups : contains(["ON_DEMAND", "SPOT"], group.capacity)])
    error_message = "node_groups: capacity must be ON_DEMAND or SPOT, as EKS writes what slide 5 calls On-Demand and Spot."
  }

  validation {
    condition     = try(var.node_groups["system"].capacity == "ON_DEMAND" && var.node_groups["system"].min >= 3, false)
    error_message = "node_groups must have system, on demand, with min of at least 3: slide 5 runs the platform's own services there, with no spot instances, one in each zone."
  }

  validation {
    condition     = alltrue([for group in var.node_groups : contains(group.taints, "nvidia.com/gpu=true:NoSchedule") if group.gpu])
    error_message = "node_groups: a group with gpu needs the taint nvidia.com/gpu=true:NoSchedule (slide 5), or pods without a GPU fill it."
  }

  validation {
    condition     = alltrue([for group in var.node_groups : group.capacity == "ON_DEMAND" && length(group.taints) > 0 if group.phi])
    error_message = "node_groups: a group with phi must be ON_DEMAND and have a taint: it is dedicated to health data (slide 11)."
  }

  validation {
    condition     = alltrue([for group in var.node_groups : alltrue([for taint in group.taints : can(regex("^[a-z0-9A-Z./-]+=[a-z0-9A-Z.-]*:(NoSchedule|PreferNoSchedule|NoExecute)$", taint))])])
    error_message = "node_groups: a taint is written KEY=VALUE:EFFECT, where EFFECT is NoSchedule, PreferNoSchedule or NoExecute (slide 5: nvidia.com/gpu=true:NoSchedule)."
  }

  validation {
    condition     = alltrue([for group in var.node_groups : length(group.instance_types) > 0 && group.disk_gb >= 50])
    error_message = "node_groups: each group needs an instance type (slide 5), and a disk_gb of at least 50, since images of models are large."
  }
}
