# wants: does not support resource type
resource "aws_vpcc" "this" {
  cidr_block = "10.0.0.0/16"
}
