# wants: Reference to undeclared resource
resource "aws_subnet" "this" {
  vpc_id = aws_vpc.this.id
}
