# says: flow_log_retention_days must be at least seven years (slide 4: VPC Flow Logs, 7-year retention)
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
    flow_log_retention_days = 2192
  }
}
