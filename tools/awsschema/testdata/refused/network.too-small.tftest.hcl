# says: cidr must be a /16: slide 4 gives every subnet a /20
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
    cidr = "10.0.0.0/20"
  }
}
