# says: logs_key_arn must be the ARN of a KMS key: nothing is stored unencrypted (slide 11, layer 3).
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
    logs_key_arn = ""
  }
}
