# The EKS cluster of slide 5. Everything that runs in it besides EKS's own add-ons is installed
# from deploy/ and the platform's charts: with a private endpoint the pipeline that applies this
# has no way to the API server, and needs none.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

resource "aws_eks_cluster" "this" {
  name     = var.name
  version  = var.kubernetes_version
  role_arn = aws_iam_role.cluster.arn

  # All five, the audit log among them (slides 5 and 11).
  enabled_cluster_log_types     = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
  bootstrap_self_managed_addons = false
  deletion_protection           = true

  vpc_config {
    subnet_ids              = var.subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = length(var.public_access_cidrs) > 0
    public_access_cidrs     = length(var.public_access_cidrs) > 0 ? var.public_access_cidrs : null
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = var.secrets_key_arn
    }
  }

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }

  upgrade_policy {
    support_type = "STANDARD"
  }

  depends_on = [aws_cloudwatch_log_group.cluster, aws_iam_role_policy_attachment.cluster]
}

# EKS would make the group itself, unencrypted and for ever.
resource "aws_cloudwatch_log_group" "cluster" {
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.logs_key_arn
}

resource "aws_iam_role" "cluster" {
  name = "${var.name}-cluster"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "eks.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonEKSClusterPolicy"
}

# IAM roles for service accounts (slide 11, layer 2).
resource "aws_iam_openid_connect_provider" "this" {
  url            = aws_eks_cluster.this.identity[0].oidc[0].issuer
  client_id_list = ["sts.amazonaws.com"]
}

# People operate the cluster by this role, with a second factor (slide 11, layer 2).
resource "aws_iam_role" "operator" {
  count = length(var.operators) > 0 ? 1 : 0

  name                 = "${var.name}-operator"
  max_session_duration = 3600 # The least that AWS allows.

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = var.operators }
      Condition = {
        Bool            = { "aws:MultiFactorAuthPresent" = "true" }
        NumericLessThan = { "aws:MultiFactorAuthAge" = "900" } # A quarter of an hour (slide 11).
      }
    }]
  })
}

# For "aws eks update-kubeconfig". What an operator does in the cluster, Kubernetes allows.
resource "aws_iam_role_policy" "operator" {
  count = length(var.operators) > 0 ? 1 : 0

  name = "find-the-cluster"
  role = aws_iam_role.operator[0].id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["eks:DescribeCluster"], Resource = [aws_eks_cluster.this.arn] }]
  })
}

# EKS lets only nodes reach the private endpoint.
resource "aws_vpc_security_group_ingress_rule" "api_clients" {
  for_each = toset(var.api_client_cidrs)

  security_group_id = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
  description       = "The API server, from a private network"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_eks_access_entry" "operator" {
  count = length(var.operators) > 0 ? 1 : 0

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_iam_role.operator[0].arn
}

resource "aws_eks_access_policy_association" "operator" {
  count = length(var.operators) > 0 ? 1 : 0

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_iam_role.operator[0].arn
  policy_arn    = "arn:${data.aws_partition.current.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

  access_scope {
    type = "cluster"
  }

  depends_on = [aws_eks_access_entry.operator]
}
