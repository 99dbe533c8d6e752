# All of recovery, planned and applied on a mock of AWS: the modules fit together. What is in
# each of them, the modules' own tests say.

mock_provider "aws" {
  mock_resource "aws_eks_cluster" {
    defaults = {
      identity              = [{ oidc = [{ issuer = "https://oidc.eks.us-west-2.amazonaws.com/id/0123456789ABCDEF" }] }]
      certificate_authority = [{ data = "Y2E=" }]
    }
  }

  mock_resource "aws_eks_node_group" {
    defaults = { resources = [{ autoscaling_groups = [{ name = "group" }], remote_access_security_group_id = "" }] }
  }

  mock_resource "aws_db_instance" {
    defaults = {
      arn                = "arn:aws:rds:us-west-2:111122223333:db:mlops-production-metadata"
      master_user_secret = [{ kms_key_id = "key", secret_arn = "arn:aws:secretsmanager:us-west-2:111122223333:secret:x", secret_status = "active" }]
    }
  }

  mock_data "aws_kms_alias" {
    defaults = { target_key_arn = "arn:aws:kms:us-west-2:111122223333:key/copy" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { region = "us-west-2" }
  }
}

override_module {
  target = module.keys

  outputs = {
    arns = {
      audit   = "arn:aws:kms:us-west-2:111122223333:key/audit"
      cluster = "arn:aws:kms:us-west-2:111122223333:key/cluster"
      disks   = "arn:aws:kms:us-west-2:111122223333:key/disks"
      data    = "arn:aws:kms:us-west-2:111122223333:key/data"
      phi     = "arn:aws:kms:us-west-2:111122223333:key/phi"
      logs    = "arn:aws:kms:us-west-2:111122223333:key/logs"
      secrets = "arn:aws:kms:us-west-2:111122223333:key/secrets"
    }
  }
}

# Each kind of data has a key of its own here too.
override_data {
  target = data.aws_kms_alias.phi
  values = { target_key_arn = "arn:aws:kms:us-west-2:111122223333:key/copy-of-phi" }
}

variables {
  redis_auth_token     = "0123456789abcdef0123456789abcdef"
  postgres_backups_arn = "arn:aws:rds:us-west-2:111122223333:auto-backup:ab-x"
  redshift_snapshot    = "copied-snapshot"
}

run "recovery_stands_up_from_the_copies" {
  assert {
    condition     = output.cluster.name == "mlops-recovery" && output.buckets.lake == "mlops-production-lake-copy-111122223333"
    error_message = "What is made is not named after recovery, or does not use production's copies."
  }
}

run "the_new_cluster_restores_from_the_lost_one_s_backups" {
  assert {
    condition     = output.buckets.velero == "mlops-production-velero-copy-111122223333" && output.service_account_roles.velero != ""
    error_message = "Velero cannot read the backups of the lost cluster."
  }
}

run "an_empty_database_is_no_recovery" {
  command = plan

  variables {
    postgres_backups_arn = ""
  }

  expect_failures = [var.postgres_backups_arn]
}

run "an_empty_warehouse_is_no_recovery" {
  command = plan

  variables {
    redshift_snapshot = ""
  }

  expect_failures = [var.redshift_snapshot]
}

run "costs_of_nobody_are_refused" {
  command = plan

  variables {
    cost_center = ""
  }

  expect_failures = [var.cost_center]
}
