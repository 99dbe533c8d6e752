# The whole of production, planned and applied on a mock of AWS: the modules fit together. What is in
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
      arn                = "arn:aws:rds:us-east-1:111122223333:db:mlops-production-metadata"
      master_user_secret = [{ kms_key_id = "key", secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:x", secret_status = "active" }]
    }
  }

  # A key beside the copies, as AWS gives one.
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-west-2:111122223333:key/copy" }
  }

  mock_data "aws_default_tags" {
    defaults = { tags = { team = "platform", cost-center = "CC-1000" } }
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

run "production_stands_up_as_a_whole" {
  assert {
    condition     = output.cluster.name == "mlops-production" && output.audit.table == "mlops-production-audit"
    error_message = "What is made is not named after production."
  }

  assert {
    condition     = toset(keys(output.buckets)) == toset(["lake", "models", "phi"]) && toset(keys(output.recovery.buckets)) == toset(["audit", "lake", "models", "phi", "velero"])
    error_message = "A bucket or its copy is missing."
  }

  assert {
    condition     = output.volume_keys.phi != output.volume_keys.disks
    error_message = "Volumes of health data share a key with others."
  }

  assert {
    condition     = toset(keys(output.service_account_roles.serving)) == toset(["models", "phi"])
    error_message = "Health data is served by the role of other data."
  }
}

run "costs_of_nobody_are_refused" {
  command = plan

  variables {
    cost_center = ""
  }

  expect_failures = [var.cost_center]
}
