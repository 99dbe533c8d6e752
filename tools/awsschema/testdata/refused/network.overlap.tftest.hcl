# says: cidr overlaps one of reserved_cidrs: networks that may be joined, for recovery in a second region (slide 15) say, must not share addresses.
mock_provider "aws" {}

variables {
  name         = "mlops-test"
  cluster_name = "mlops-test"
  zones        = ["us-east-1a", "us-east-1b", "us-east-1c"]
  logs_key_arn = "arn:aws:kms:us-east-1:111122223333:key/logs"
}

run "refused" {
  command = plan

  variables {
    reserved_cidrs = ["10.0.128.0/24"]
  }
}
