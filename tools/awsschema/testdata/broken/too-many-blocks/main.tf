# wants: Too many vpc_config blocks
resource "aws_eks_cluster" "this" {
  name     = "c"
  role_arn = "r"
  vpc_config {
    subnet_ids = []
  }
  vpc_config {
    subnet_ids = []
  }
}
