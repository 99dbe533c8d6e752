# wants: does not support data source
data "aws_nothing" "this" {}
