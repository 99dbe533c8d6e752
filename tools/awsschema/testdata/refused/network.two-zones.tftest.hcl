# says: zones must name at least three: the platform survives the failure of a zone (slide 4: 3 AZs; slide 15, scenario 1).
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
    zones = ["us-east-1a", "us-east-1b"]
  }
}
