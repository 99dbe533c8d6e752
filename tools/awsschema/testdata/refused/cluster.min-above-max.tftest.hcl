# says: node_groups: min is above max in compute. Slide 5 gives each group Min ≤ Desired ≤ Max.
mock_provider "aws" {}

variables {
  name            = "mlops-test"
  subnet_ids      = ["subnet-1", "subnet-2", "subnet-3"]
  secrets_key_arn = "arn:aws:kms:us-east-1:111122223333:key/cluster"
  disks_key_arn   = "arn:aws:kms:us-east-1:111122223333:key/disks"
  phi_key_arn     = "arn:aws:kms:us-east-1:111122223333:key/phi"
  logs_key_arn    = "arn:aws:kms:us-east-1:111122223333:key/logs"
}

run "refused" {
  command = plan

  variables {
    node_groups = {
      system  = { instance_types = ["m5.2xlarge"], min = 3, desired = 3, max = 5 }
      compute = { instance_types = ["m5.4xlarge"], capacity = "SPOT", min = 21, desired = 20, max = 20 }
    }
  }
}
