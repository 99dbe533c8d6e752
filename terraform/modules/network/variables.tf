variable "name" {
  description = "Prefix of all names, such as mlops-production."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, beginning with a letter: it becomes part of the names of buckets and roles, which AWS limits."
  }
}

variable "cidr" {
  description = "Addresses of the VPC. Slide 4: 10.0.0.0/16."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0], false)
    error_message = "cidr must be a network in the form 10.0.0.0/16 (slide 4), without bits set after the prefix."
  }

  validation {
    condition     = try(tonumber(split("/", var.cidr)[1]) == 16, false)
    error_message = "cidr must be a /16: slide 4 gives every subnet a /20, and nine of them with room to grow need sixteen. AWS allows no VPC above /16."
  }

  validation {
    condition = anytrue([
      can(regex("^10\\.", var.cidr)),
      can(regex("^172\\.(1[6-9]|2[0-9]|3[01])\\.", var.cidr)),
      can(regex("^192\\.168\\.", var.cidr)),
    ])
    error_message = "cidr must be private by RFC 1918 (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16): slide 11 isolates the VPC from the internet."
  }

  validation {
    # Two networks overlap when they are the same up to the shorter prefix.
    condition = alltrue([
      for other in var.reserved_cidrs : try(
        cidrhost("${split("/", var.cidr)[0]}/${min(tonumber(split("/", var.cidr)[1]), tonumber(split("/", other)[1]))}", 0) !=
        cidrhost("${split("/", other)[0]}/${min(tonumber(split("/", var.cidr)[1]), tonumber(split("/", other)[1]))}", 0),
        true # Not an address: the other variable's own rule says so.
      )
    ])
    error_message = "cidr overlaps one of reserved_cidrs: networks that may be joined, for recovery in a second region (slide 15) say, must not share addresses."
  }
}

variable "reserved_cidrs" {
  description = "Networks that cidr must not overlap: other environments, the recovery region, the company's own."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.reserved_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Each of reserved_cidrs must be a network in the form 10.1.0.0/16, as AWS writes it."
  }
}

variable "client_cidrs" {
  description = "Private networks, of a VPN or a peered VPC, whose machines reach port 443 in the private subnets: api_client_cidrs of the cluster."
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([for cidr in var.client_cidrs : can(cidrhost(cidr, 0)) && anytrue([
      can(regex("^10\\.", cidr)), can(regex("^172\\.(1[6-9]|2[0-9]|3[01])\\.", cidr)), can(regex("^192\\.168\\.", cidr)),
    ])])
    error_message = "client_cidrs must be private by RFC 1918, such as 10.100.0.0/24: slide 11 allows private subnets no access from the internet."
  }

  validation {
    condition     = length(var.client_cidrs) <= 15
    error_message = "client_cidrs may name 15 networks at most: each is a rule of the network ACL, of which AWS allows 20 in one direction."
  }
}

variable "zones" {
  description = "Availability zones, in order: the first gets the first three subnets, and so on. Append only; a change of order replaces subnets."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 3
    error_message = "zones must name at least three: the platform survives the failure of a zone (slide 4: 3 AZs; slide 15, scenario 1)."
  }

  validation {
    condition     = length(var.zones) <= 5
    error_message = "zones may name five at most: each takes three of the sixteen /20 subnets of a /16 (slide 4)."
  }

  validation {
    condition     = length(distinct(var.zones)) == length(var.zones)
    error_message = "zones must differ: two subnets in one zone fail together (slide 4: 3 AZs)."
  }
}

variable "interface_endpoints" {
  description = "AWS services that private subnets reach without the internet, besides S3 and DynamoDB."
  type        = set(string)
  default     = ["autoscaling", "ec2", "ecr.api", "ecr.dkr", "elasticloadbalancing", "kms", "logs", "secretsmanager", "sts"]

  validation {
    condition     = length(setsubtract(["ecr.api", "ecr.dkr", "logs", "secretsmanager", "sts"], var.interface_endpoints)) == 0
    error_message = "interface_endpoints must hold ecr.api and ecr.dkr (slide 4: VPC endpoints for ECR, no internet egress), and sts, logs and secretsmanager, which private nodes call for every pod."
  }
}

variable "flow_log_retention_days" {
  description = "Days that flow logs are kept. Slide 4: seven years, 2557 days with the leap days."
  type        = number
  default     = 2557

  validation {
    condition     = contains([2557, 2922, 3288, 3653], var.flow_log_retention_days)
    error_message = "flow_log_retention_days must be at least seven years (slide 4: VPC Flow Logs, 7-year retention), in one of the steps that CloudWatch has from there: 2557, 2922, 3288 or 3653."
  }
}

variable "logs_key_arn" {
  description = "KMS key that encrypts the flow logs."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.logs_key_arn))
    error_message = "logs_key_arn must be the ARN of a KMS key: nothing is stored unencrypted (slide 11, layer 3)."
  }
}

variable "cluster_name" {
  description = "Name of the EKS cluster whose load balancers go into these subnets."
  type        = string
}
