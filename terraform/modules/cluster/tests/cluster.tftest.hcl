mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { region = "us-east-1" }
  }

  mock_data "aws_default_tags" {
    defaults = { tags = { team = "platform", cost-center = "CC-1000", data-classification = "confidential" } }
  }

  mock_resource "aws_eks_cluster" {
    defaults = {
      arn                   = "arn:aws:eks:us-east-1:111122223333:cluster/mlops-test"
      identity              = [{ oidc = [{ issuer = "https://oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF" }] }]
      certificate_authority = [{ data = "Y2E=" }]
    }
  }

  mock_resource "aws_eks_node_group" {
    defaults = { resources = [{ autoscaling_groups = [{ name = "group" }], remote_access_security_group_id = "" }] }
  }
}

variables {
  name            = "mlops-test"
  subnet_ids      = ["subnet-1", "subnet-2", "subnet-3"]
  secrets_key_arn = "arn:aws:kms:us-east-1:111122223333:key/cluster"
  disks_key_arn   = "arn:aws:kms:us-east-1:111122223333:key/disks"
  phi_key_arn     = "arn:aws:kms:us-east-1:111122223333:key/phi"
  logs_key_arn    = "arn:aws:kms:us-east-1:111122223333:key/logs"
}

run "the_cluster_of_slide_5" {
  assert {
    condition     = tonumber(split(".", aws_eks_cluster.this.version)[1]) >= 27
    error_message = "Kubernetes is older than 1.27."
  }

  assert {
    condition     = one(aws_eks_cluster.this.encryption_config[0].resources) == "secrets" && aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == var.secrets_key_arn
    error_message = "Secrets are not encrypted with KMS."
  }

  assert {
    condition     = contains(aws_eks_cluster.this.enabled_cluster_log_types, "audit") && aws_cloudwatch_log_group.cluster.retention_in_days == 2557
    error_message = "The audit log is off, or not kept for seven years."
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access && !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "The API server can be reached from the internet."
  }

  assert {
    condition = { for name, group in aws_eks_node_group.this : name => join(" ", [group.capacity_type, one(group.instance_types), join("/", [group.scaling_config[0].min_size, group.scaling_config[0].desired_size, group.scaling_config[0].max_size])]) } == {
      system            = "ON_DEMAND m5.2xlarge 3/3/5"
      compute           = "SPOT m5.4xlarge 0/5/20"
      compute-on-demand = "ON_DEMAND m5.4xlarge 0/0/20"
      gpu               = "SPOT g4dn.2xlarge 0/0/10"
      gpu-on-demand     = "ON_DEMAND g4dn.2xlarge 0/0/10"
      phi               = "ON_DEMAND m5.4xlarge 0/0/4"
    }
    error_message = "The node groups are not those of the slide."
  }

  assert {
    condition     = alltrue([for name, group in aws_eks_node_group.this : group.labels["workload-type"] == trimsuffix(name, "-on-demand") && group.labels["capacity"] == group.capacity_type])
    error_message = "A node group has not the labels that pods choose nodes by."
  }

  assert {
    condition = { for name, group in aws_eks_node_group.this : name => join(" ", sort([for taint in group.taint : "${taint.key}=${taint.value}:${taint.effect}"])) } == {
      system  = ""
      compute = "spot-instance=true:NO_SCHEDULE"
      gpu     = "nvidia.com/gpu=true:NO_SCHEDULE spot-instance=true:NO_SCHEDULE"

      compute-on-demand = ""
      gpu-on-demand     = "nvidia.com/gpu=true:NO_SCHEDULE"

      phi = "phi=true:NO_SCHEDULE"
    }
    error_message = "The taints are not those of slides 5, 11 and 13."
  }

  assert {
    condition     = toset(concat(keys(aws_eks_addon.before_nodes), keys(aws_eks_addon.on_nodes))) == toset(["aws-ebs-csi-driver", "coredns", "kube-proxy", "metrics-server", "vpc-cni"])
    error_message = "An add-on of the slide is missing."
  }

  assert {
    condition     = jsondecode(aws_iam_role.autoscaler.assume_role_policy).Statement[0].Condition.StringEquals["oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF:sub"] == "system:serviceaccount:kube-system:cluster-autoscaler"
    error_message = "Another account than the autoscaler's can take its role."
  }

  assert {
    condition     = alltrue([for template in aws_launch_template.node : template.metadata_options[0].http_tokens == "required" && alltrue([for disk in template.block_device_mappings : disk.ebs[0].encrypted == "true"])])
    error_message = "A node's credentials can be read without a token, or a disk of its is not encrypted."
  }

  assert {
    condition     = alltrue([for name, template in aws_launch_template.node : alltrue([for disk in template.block_device_mappings : disk.ebs[0].kms_key_id == (name == "phi" ? var.phi_key_arn : var.disks_key_arn)])])
    error_message = "Health data on a node's disk shares a key with other data."
  }

  # Bottlerocket has two disks.
  assert {
    condition     = [for disk in aws_launch_template.node["phi"].block_device_mappings : disk.device_name] == ["/dev/xvda", "/dev/xvdb"] && aws_launch_template.node["phi"].block_device_mappings[1].ebs[0].volume_size == 100
    error_message = "A disk of a node for health data is left as its image has it, unencrypted."
  }

  assert {
    condition     = alltrue(flatten([for name, template in aws_launch_template.node : [for specification in template.tag_specifications : specification.tags["cost-center"] == "CC-1000" && specification.tags["data-classification"] == (name == "phi" ? "phi" : "confidential")]]))
    error_message = "What a machine or its disk costs is on nobody's account."
  }

  assert {
    condition     = toset([for specification in aws_launch_template.node["compute"].tag_specifications : specification.resource_type]) == toset(["instance", "volume", "network-interface"])
    error_message = "A part of a node has no tags."
  }

  assert {
    condition     = jsondecode(aws_eks_addon.on_nodes["aws-ebs-csi-driver"].configuration_values).controller.extraVolumeTags["cost-center"] == "CC-1000"
    error_message = "What a volume costs is on nobody's account."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.ebs_key.policy).Statement : toset(statement.Resource) == toset([var.disks_key_arn, var.phi_key_arn])])
    error_message = "The driver of volumes reads Kubernetes secrets, or cannot encrypt a volume."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.api_clients) == 0 && length(aws_iam_role.operator) == 0
    error_message = "Somebody reaches the cluster whom nobody has named."
  }

  assert {
    condition     = aws_autoscaling_group_tag.scale_from_zero["gpu-taint-nvidia.com/gpu"].tag[0].value == "true:NoSchedule"
    error_message = "The autoscaler does not learn the taint of an empty GPU group."
  }

  assert {
    condition     = aws_eks_node_group.this["phi"].ami_type == "BOTTLEROCKET_x86_64_FIPS"
    error_message = "Health data runs on nodes without FIPS 140."
  }
}

run "operators_need_a_second_factor" {
  variables {
    operators = ["arn:aws:iam::111122223333:user/ada"]
  }

  assert {
    condition     = jsondecode(aws_iam_role.operator[0].assume_role_policy).Statement[0].Condition.Bool["aws:MultiFactorAuthPresent"] == "true"
    error_message = "The operator role can be taken without a second factor."
  }

  assert {
    condition     = tonumber(jsondecode(aws_iam_role.operator[0].assume_role_policy).Statement[0].Condition.NumericLessThan["aws:MultiFactorAuthAge"]) <= 900
    error_message = "A second factor is good for more than a quarter of an hour."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.operator[0].policy).Statement[0] == { Effect = "Allow", Action = ["eks:DescribeCluster"], Resource = ["arn:aws:eks:us-east-1:111122223333:cluster/mlops-test"] }
    error_message = "Operators cannot find the cluster, or may do more in AWS than that."
  }
}

run "private_networks_reach_the_api_server" {
  variables {
    api_client_cidrs = ["10.100.0.0/24"]
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.api_clients : "${rule.cidr_ipv4} ${rule.from_port}-${rule.to_port}"] == ["10.100.0.0/24 443-443"]
    error_message = "Operators cannot reach the API server, or reach more than it."
  }
}

run "a_group_of_one_team_is_on_its_account" {
  variables {
    node_groups = {
      system   = { instance_types = ["m5.2xlarge"], min = 3, desired = 3, max = 5 }
      clinical = { instance_types = ["m5.4xlarge"], min = 0, desired = 0, max = 4, tags = { team = "clinical", cost-center = "CC-2002" } }
    }
  }

  assert {
    condition     = { for name, template in aws_launch_template.node : name => one(distinct([for specification in template.tag_specifications : specification.tags["cost-center"]])) } == { system = "CC-1000", clinical = "CC-2002" }
    error_message = "A team does not pay for its own machines, or pays for others'."
  }
}

run "a_public_network_as_a_client_of_the_api_server_is_refused" {
  command = plan

  variables {
    api_client_cidrs = ["52.0.0.0/24"]
  }

  expect_failures = [var.api_client_cidrs]
}

# The session of a role has no second factor, so its condition would keep all of them out.
run "nodes_that_pass_for_the_platform_s_own_are_refused" {
  command = plan

  variables {
    node_groups = {
      system  = { instance_types = ["m5.2xlarge"], min = 3, desired = 3, max = 5 }
      compute = { instance_types = ["m5.4xlarge"], workload = "system", min = 0, desired = 0, max = 5 }
    }
  }

  expect_failures = [var.node_groups]
}

run "a_role_as_an_operator_is_refused" {
  command = plan

  variables {
    operators = ["arn:aws:iam::111122223333:role/platform-engineers"]
  }

  expect_failures = [var.operators]
}

run "kubernetes_1_26_is_refused" {
  command = plan

  variables {
    kubernetes_version = "1.26"
  }

  expect_failures = [var.kubernetes_version]
}

run "two_subnets_are_refused" {
  command = plan

  variables {
    subnet_ids = ["subnet-1", "subnet-2"]
  }

  expect_failures = [var.subnet_ids]
}

run "secrets_without_a_key_are_refused" {
  command = plan

  variables {
    secrets_key_arn = ""
  }

  expect_failures = [var.secrets_key_arn]
}

run "disks_without_a_key_are_refused" {
  command = plan

  variables {
    disks_key_arn = ""
  }

  expect_failures = [var.disks_key_arn]
}

run "one_key_for_disks_of_health_data_and_others_is_refused" {
  command = plan

  variables {
    phi_key_arn = "arn:aws:kms:us-east-1:111122223333:key/disks"
  }

  expect_failures = [var.phi_key_arn]
}

run "logs_without_a_key_are_refused" {
  command = plan

  variables {
    logs_key_arn = "none"
  }

  expect_failures = [var.logs_key_arn]
}

run "audit_logs_for_a_year_are_refused" {
  command = plan

  variables {
    log_retention_days = 365
  }

  expect_failures = [var.log_retention_days]
}

run "an_api_server_for_the_whole_internet_is_refused" {
  command = plan

  variables {
    public_access_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.public_access_cidrs]
}

run "a_group_with_min_above_max_is_refused" {
  command = plan

  variables {
    node_groups = {
      system  = { instance_types = ["m5.2xlarge"], min = 3, desired = 3, max = 5 }
      compute = { instance_types = ["m5.4xlarge"], capacity = "SPOT", min = 21, desired = 20, max = 20 }
    }
  }

  expect_failures = [var.node_groups]
}

run "a_group_with_desired_above_max_is_refused" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m5.2xlarge"], min = 3, desired = 6, max = 5 }
    }
  }

  expect_failures = [var.node_groups]
}

run "a_system_group_on_spot_is_refused" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m5.2xlarge"], capacity = "SPOT", min = 3, desired = 3, max = 5 }
    }
  }

  expect_failures = [var.node_groups]
}

run "no_system_group_is_refused" {
  command = plan

  variables {
    node_groups = {
      compute = { instance_types = ["m5.4xlarge"], min = 0, desired = 0, max = 1 }
    }
  }

  expect_failures = [var.node_groups]
}

run "a_gpu_group_without_its_taint_is_refused" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m5.2xlarge"], min = 3, desired = 3, max = 5 }
      gpu    = { instance_types = ["g4dn.2xlarge"], min = 0, desired = 0, max = 10, gpu = true }
    }
  }

  expect_failures = [var.node_groups]
}

run "health_data_on_spot_is_refused" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m5.2xlarge"], min = 3, desired = 3, max = 5 }
      phi    = { instance_types = ["m5.4xlarge"], capacity = "SPOT", min = 0, desired = 0, max = 4, phi = true, taints = ["phi=true:NoSchedule"] }
    }
  }

  expect_failures = [var.node_groups]
}

run "a_taint_that_kubernetes_does_not_know_is_refused" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m5.2xlarge"], min = 3, desired = 3, max = 5, taints = ["dedicated:Never"] }
    }
  }

  expect_failures = [var.node_groups]
}

run "a_name_with_capitals_is_refused" {
  command = plan

  variables {
    name = "MLOps"
  }

  expect_failures = [var.name]
}

run "half_a_node_is_refused" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m5.2xlarge"], min = 3, desired = 3, max = 5 }
      batch  = { instance_types = ["m5.4xlarge"], min = 0, desired = 0.5, max = 1 }
    }
  }

  expect_failures = [var.node_groups]
}

run "a_capacity_that_eks_does_not_know_is_refused" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m5.2xlarge"], min = 3, desired = 3, max = 5 }
      batch  = { instance_types = ["m5.4xlarge"], capacity = "RESERVED", min = 0, desired = 0, max = 1 }
    }
  }

  expect_failures = [var.node_groups]
}

run "a_disk_that_holds_no_image_is_refused" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m5.2xlarge"], min = 3, desired = 3, max = 5 }
      batch  = { instance_types = ["m5.4xlarge"], min = 0, desired = 0, max = 1, disk_gb = 20 }
    }
  }

  expect_failures = [var.node_groups]
}
