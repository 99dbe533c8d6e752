output "name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "endpoint" {
  description = "Address of the API server, reachable for nodes, pods and api_client_cidrs."
  value       = aws_eks_cluster.this.endpoint
}

output "certificate_authority" {
  description = "Certificate of the API server's authority, base64."
  value       = aws_eks_cluster.this.certificate_authority[0].data
}

output "security_group_id" {
  description = "Group of all nodes, which databases let in."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

output "oidc_provider_arn" {
  description = "Identity provider for roles of service accounts."
  value       = aws_iam_openid_connect_provider.this.arn
}

output "oidc_issuer" {
  description = "Issuer of service accounts' tokens, without https://."
  value       = local.issuer
}

output "autoscaler_role_arn" {
  description = "Role of the Cluster Autoscaler's service account, kube-system/cluster-autoscaler."
  value       = aws_iam_role.autoscaler.arn
}

output "operator_role_arn" {
  description = "Role by which people operate the cluster; empty where no operators are given."
  value       = try(aws_iam_role.operator[0].arn, "")
}
