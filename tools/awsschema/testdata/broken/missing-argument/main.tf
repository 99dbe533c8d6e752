# wants: Missing required argument
resource "aws_eks_cluster" "this" {
  name = "c"
  vpc_config {
    subnet_ids = []
  }
}
