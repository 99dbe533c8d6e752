# The add-ons of slide 5. All but one are EKS's own.
#
# Deviation: EKS has no add-on for the Cluster Autoscaler. Here are its role and the tags that it
# finds groups by; its chart is installed with the platform's other charts.

locals {
  issuer = replace(aws_eks_cluster.this.identity[0].oidc[0].issuer, "https://", "")

  # Service accounts that have a role, by add-on.
  addon_roles = {
    vpc-cni            = { account = "system:serviceaccount:kube-system:aws-node", policy = "AmazonEKS_CNI_Policy" }
    aws-ebs-csi-driver = { account = "system:serviceaccount:kube-system:ebs-csi-controller-sa", policy = "service-role/AmazonEBSCSIDriverPolicy" }
  }

  # What runs before there are nodes, and what needs nodes to run on.
  addons_before_nodes = toset(["vpc-cni", "kube-proxy"])
  addons_on_nodes     = toset(["coredns", "aws-ebs-csi-driver", "metrics-server"])
}

resource "aws_eks_addon" "before_nodes" {
  for_each = local.addons_before_nodes

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  service_account_role_arn    = try(aws_iam_role.addon[each.key].arn, null)
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "PRESERVE"

  # Network policies are what deploy/ relies on: without this they are accepted and ignored.
  configuration_values = each.key == "vpc-cni" ? jsonencode({ enableNetworkPolicy = "true" }) : null

  depends_on = [aws_iam_role_policy_attachment.addon]
}

resource "aws_eks_addon" "on_nodes" {
  for_each = local.addons_on_nodes

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  service_account_role_arn    = try(aws_iam_role.addon[each.key].arn, null)
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "PRESERVE"

  # Volumes of claims are made by the driver, so it has to tag them (slide 13).
  configuration_values = each.key == "aws-ebs-csi-driver" ? jsonencode({ controller = { extraVolumeTags = data.aws_default_tags.current.tags } }) : null

  depends_on = [aws_eks_node_group.this, aws_iam_role_policy_attachment.addon]
}

resource "aws_iam_role" "addon" {
  for_each = local.addon_roles

  name               = "${var.name}-${each.key}"
  assume_role_policy = local.trust[each.value.account]
}

resource "aws_iam_role_policy_attachment" "addon" {
  for_each = local.addon_roles

  role       = aws_iam_role.addon[each.key].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.value.policy}"
}

# A storage class names one of these keys: that of disks, or that of health data.
resource "aws_iam_role_policy" "ebs_key" {
  name = "volumes-key"
  role = aws_iam_role.addon["aws-ebs-csi-driver"].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = ["kms:CreateGrant"]
        Resource  = [var.disks_key_arn, var.phi_key_arn]
        Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
      },
      {
        Effect   = "Allow"
        Action   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource = [var.disks_key_arn, var.phi_key_arn]
      },
    ]
  })
}

resource "aws_iam_role" "autoscaler" {
  name               = "${var.name}-cluster-autoscaler"
  assume_role_policy = local.trust["system:serviceaccount:kube-system:cluster-autoscaler"]
}

resource "aws_iam_role_policy" "autoscaler" {
  #checkov:skip=CKV_AWS_355:The Describe actions of Auto Scaling, EC2 and EKS know no resources; what changes something is bound to this cluster's groups by their tag.
  name = "scale"
  role = aws_iam_role.autoscaler.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = [
          "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances", "autoscaling:DescribeLaunchConfigurations",
          "autoscaling:DescribeScalingActivities", "autoscaling:DescribeTags", "ec2:DescribeImages", "ec2:DescribeInstanceTypes",
          "ec2:DescribeLaunchTemplateVersions", "ec2:GetInstanceTypesFromInstanceRequirements", "eks:DescribeNodegroup",
        ]
        Resource = "*"
      },
      {
        Effect    = "Allow"
        Action    = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
        Resource  = "arn:${data.aws_partition.current.partition}:autoscaling:*:${data.aws_caller_identity.current.account_id}:autoScalingGroup:*"
        Condition = { StringEquals = { "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.name}" = "owned" } }
      },
    ]
  })
}

# Who may take a role: one service account of this cluster, and nobody else.
locals {
  trusted = toset(concat(
    [for role in local.addon_roles : role.account],
    ["system:serviceaccount:kube-system:cluster-autoscaler"],
  ))

  trust = {
    for account in local.trusted : account => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = aws_iam_openid_connect_provider.this.arn }
        Condition = { StringEquals = { "${local.issuer}:sub" = account, "${local.issuer}:aud" = "sts.amazonaws.com" } }
      }]
    })
  }
}
