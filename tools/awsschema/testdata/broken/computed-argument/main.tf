# wants: Value for computed attribute
resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
  owner_id   = "111122223333"
}
