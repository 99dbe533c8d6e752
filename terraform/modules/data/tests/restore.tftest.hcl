# In a file of its own: runs of one file share a state, and this begins with none.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { region = "us-east-1" }
  }

  mock_resource "aws_db_instance" {
    defaults = {
      arn                = "arn:aws:rds:us-east-1:111122223333:db:metadata"
      master_user_secret = [{ kms_key_id = "key", secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:x", secret_status = "active" }]
    }
  }
}

variables {
  name                      = "mlops-test"
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-1", "subnet-2", "subnet-3"]
  client_security_group_ids = { nodes = "sg-nodes" }
  data_key_arn              = "arn:aws:kms:us-east-1:111122223333:key/data"
  phi_key_arn               = "arn:aws:kms:us-east-1:111122223333:key/phi"
  logs_key_arn              = "arn:aws:kms:us-east-1:111122223333:key/logs"
  logs_bucket               = "logs"
  redis_auth_token          = "0123456789abcdef0123456789abcdef"
}

run "a_restored_database_takes_its_users_from_the_backup" {
  variables {
    create_buckets        = false
    lake_bucket_arn       = "arn:aws:s3:::lake-copy"
    logs_bucket           = ""
    postgres_restore_from = "arn:aws:rds:us-west-2:111122223333:auto-backup:ab-x"
    redshift_restore_from = "snapshot-1"
  }

  assert {
    condition     = aws_db_instance.this.restore_to_point_in_time[0].use_latest_restorable_time && aws_redshift_cluster.this.snapshot_identifier == "snapshot-1"
    error_message = "A database is made anew where it is to be restored."
  }

  assert {
    condition     = contains(flatten([for statement in jsondecode(aws_iam_role_policy.redshift.policy).Statement : statement.Resource]), "arn:aws:s3:::lake-copy/processed/*")
    error_message = "The restored warehouse cannot load features."
  }

  assert {
    condition     = length(aws_s3_bucket.this) == 0
    error_message = "Buckets are made where the copies are the buckets."
  }
}
