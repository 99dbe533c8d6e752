# wants: Unsupported block type
resource "aws_dynamodb_table" "this" {
  name     = "t"
  hash_key = "k"

  backups {
    enabled = true
  }
}
