# wants: Unsupported argument
resource "aws_vpc" "this" {
  cidr = "10.0.0.0/16"
}
