# wants: Unsupported attribute
resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}

output "x" {
  value = aws_vpc.this.address
}
