# The node groups of slide 5, from one table.

data "aws_default_tags" "current" {}

locals {
  groups = {
    for name, group in var.node_groups : name => merge(group, {
      labels = { "workload-type" = coalesce(group.workload, name), "capacity" = group.capacity }
      all_taints = [
        for taint in concat(group.taints, group.capacity == "SPOT" ? ["spot-instance=true:NoSchedule"] : []) : {
          key    = split("=", taint)[0]
          value  = split(":", split("=", taint)[1])[0]
          effect = split(":", taint)[1]
        }
      ]
      # Health data needs FIPS 140 (slide 11); GPUs need NVIDIA's driver.
      image = group.phi ? "BOTTLEROCKET_x86_64_FIPS" : group.gpu ? "AL2023_x86_64_NVIDIA" : "AL2023_x86_64_STANDARD"
      # Bottlerocket keeps images and pods on a second disk; its first is as large as its image.
      disks = concat(
        [{ device = "/dev/xvda", gb = group.phi ? null : group.disk_gb }],
        [for device in ["/dev/xvdb"] : { device = device, gb = group.disk_gb } if group.phi],
      )
      key_arn = group.phi ? var.phi_key_arn : var.disks_key_arn
      # The provider's default tags end at the launch template: machines and disks, which are what
      # costs, get them here (slide 13: tag all resources).
      machine_tags = merge(data.aws_default_tags.current.tags, group.tags, group.phi ? { data-classification = "phi" } : {}, { Name = "${var.name}-${name}" })
    })
  }

  # Kubernetes and the EKS API write effects differently.
  effects = { NoSchedule = "NO_SCHEDULE", PreferNoSchedule = "PREFER_NO_SCHEDULE", NoExecute = "NO_EXECUTE" }

  # From an empty group the autoscaler learns by these tags what a node of it would be like.
  scale_from_zero = merge([
    for name, group in local.groups : merge(
      { for key, value in group.labels : "${name}-label-${key}" => { group = name, key = "k8s.io/cluster-autoscaler/node-template/label/${key}", value = value } },
      { for taint in group.all_taints : "${name}-taint-${taint.key}" => { group = name, key = "k8s.io/cluster-autoscaler/node-template/taint/${taint.key}", value = "${taint.value}:${taint.effect}" } },
    )
  ]...)
}

resource "aws_eks_node_group" "this" {
  for_each = local.groups

  cluster_name    = aws_eks_cluster.this.name
  node_group_name = each.key
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = var.subnet_ids
  version         = var.kubernetes_version
  ami_type        = each.value.image
  capacity_type   = each.value.capacity
  instance_types  = each.value.instance_types
  labels          = each.value.labels
  tags            = each.value.tags

  scaling_config {
    min_size     = each.value.min
    desired_size = each.value.desired
    max_size     = each.value.max
  }

  launch_template {
    id      = aws_launch_template.node[each.key].id
    version = aws_launch_template.node[each.key].latest_version
  }

  update_config {
    max_unavailable_percentage = 25
  }

  dynamic "taint" {
    for_each = each.value.all_taints

    content {
      key    = taint.value.key
      value  = taint.value.value
      effect = local.effects[taint.value.effect]
    }
  }

  lifecycle {
    ignore_changes = [scaling_config[0].desired_size] # The Cluster Autoscaler's, after the first apply.
  }

  # A node without its network add-on is never ready, and a group whose nodes are not is not made.
  depends_on = [aws_iam_role_policy_attachment.node, aws_iam_role_policy_attachment.addon, aws_eks_addon.before_nodes]
}

resource "aws_launch_template" "node" {
  for_each = local.groups

  name                   = "${var.name}-${each.key}"
  update_default_version = true
  vpc_security_group_ids = [aws_eks_cluster.this.vpc_config[0].cluster_security_group_id]

  dynamic "block_device_mappings" {
    for_each = each.value.disks

    content {
      device_name = block_device_mappings.value.device

      ebs {
        volume_type           = "gp3"
        volume_size           = block_device_mappings.value.gb
        encrypted             = true
        kms_key_id            = each.value.key_arn
        delete_on_termination = true
      }
    }
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1 # Pods have their own roles and must not reach the node's.
  }

  monitoring {
    enabled = true
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "volume", "network-interface"]

    content {
      resource_type = tag_specifications.value
      tags          = each.value.machine_tags
    }
  }
}

resource "aws_autoscaling_group_tag" "scale_from_zero" {
  for_each = local.scale_from_zero

  autoscaling_group_name = aws_eks_node_group.this[each.value.group].resources[0].autoscaling_groups[0].name

  tag {
    key                 = each.value.key
    value               = each.value.value
    propagate_at_launch = false
  }
}

resource "aws_iam_role" "node" {
  name = "${var.name}-node"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

# The network add-on has a role of its own, so its policy is not the nodes'.
resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"])

  role       = aws_iam_role.node.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.key}"
}
