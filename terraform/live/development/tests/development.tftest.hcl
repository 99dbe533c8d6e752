# All of development, planned and applied on a mock of AWS: the modules fit together. What is in
# each of them, the modules' own tests say.

mock_provider "aws" {
  mock_resource "aws_eks_cluster" {
    defaults = {
      identity              = [{ oidc = [{ issuer = "https://oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF" }] }]
      certificate_authority = [{ data = "Y2E=" }]
    }
  }

  mock_resource "aws_eks_node_group" {
    defaults = { resources = [{ autoscaling_groups = [{ name = "group" }], remote_access_security_group_id = "" }] }
  }

  mock_resource "aws_db_instance" {
    defaults = {
      arn                = "arn:aws:rds:us-east-1:111122223333:db:mlops-development-metadata"
      master_user_secret = [{ kms_key_id = "key", secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:x", secret_status = "active" }]
    }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { region = "us-east-1" }
  }
}

override_module {
  target = module.keys

  outputs = {
    arns = {
      audit   = "arn:aws:kms:us-east-1:111122223333:key/audit"
      cluster = "arn:aws:kms:us-east-1:111122223333:key/cluster"
      disks   = "arn:aws:kms:us-east-1:111122223333:key/disks"
      data    = "arn:aws:kms:us-east-1:111122223333:key/data"
      phi     = "arn:aws:kms:us-east-1:111122223333:key/phi"
      logs    = "arn:aws:kms:us-east-1:111122223333:key/logs"
      secrets = "arn:aws:kms:us-east-1:111122223333:key/secrets"
    }
  }
}

variables {
  redis_auth_token = "0123456789abcdef0123456789abcdef"
}

run "development_stands_up_as_a_whole" {
  assert {
    condition     = output.cluster.name == "mlops-development" && output.audit.table == "mlops-development-audit"
    error_message = "What is made is not named after development."
  }
}

run "costs_of_nobody_are_refused" {
  command = plan

  variables {
    cost_center = ""
  }

  expect_failures = [var.cost_center]
}
