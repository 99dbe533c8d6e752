# wants: Insufficient vpc_config blocks
resource "aws_eks_cluster" "this" {
  name     = "c"
  role_arn = "r"
}
