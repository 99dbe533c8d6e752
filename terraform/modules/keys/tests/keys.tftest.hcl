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
}

variables {
  name = "mlops-test"
}

run "keys_rotate_every_year" {
  assert {
    condition     = alltrue([for key in aws_kms_key.this : key.enable_key_rotation && key.rotation_period_in_days == 365 && key.deletion_window_in_days == 30])
    error_message = "A key does not rotate yearly, or is gone before anybody notices."
  }

  assert {
    condition     = toset(keys(output.arns)) == toset(["audit", "cluster", "data", "disks", "logs", "phi", "secrets"])
    error_message = "A kind of data has no key of its own."
  }
}

run "services_use_the_keys_that_they_need_and_no_others" {
  assert {
    condition     = toset([for name, key in aws_kms_key.this : name if strcontains(key.policy, "AWSServiceRoleForAutoScaling")]) == toset(["disks", "phi"])
    error_message = "Nodes cannot start with encrypted disks, or Auto Scaling reads more than disks."
  }

  assert {
    condition     = alltrue(flatten([for key in aws_kms_key.this : [for statement in jsondecode(key.policy).Statement : can(statement.Condition) || statement.Sid == "AccountPolicies"]]))
    error_message = "A service, or anybody, may use a key for more than this account's data."
  }

  assert {
    condition     = toset([for name, key in aws_kms_key.this : name if strcontains(key.policy, "AWSServiceRoleForDynamoDBReplication")]) == toset(["audit"])
    error_message = "The audit table cannot be copied to the second region, or DynamoDB reads more than that."
  }

  # In an account that has never had an Auto Scaling group the role does not exist, and a key policy with it
  # as its principal is refused.
  assert {
    condition     = alltrue(flatten([for key in aws_kms_key.this : [for statement in jsondecode(key.policy).Statement : !strcontains(jsonencode(statement.Principal), "aws-service-role")]]))
    error_message = "A key cannot be made in a new account."
  }

  assert {
    condition     = alltrue(flatten([for key in aws_kms_key.this : [for statement in jsondecode(key.policy).Statement : statement.Condition.Bool["kms:GrantIsForAWSResource"] == "true" if contains(flatten([statement.Action]), "kms:CreateGrant")]]))
    error_message = "A service may give a key to anybody."
  }

  assert {
    condition     = toset(flatten([for statement in jsondecode(aws_kms_key.this["logs"].policy).Statement : statement.Principal.Service if can(statement.Principal.Service)])) == toset(["cloudtrail.amazonaws.com", "config.amazonaws.com", "events.amazonaws.com", "logs.us-east-1.amazonaws.com"])
    error_message = "A service that writes logs or tells of them cannot encrypt."
  }
}

run "a_name_with_capitals_is_refused" {
  command = plan

  variables {
    name = "MLOps"
  }

  expect_failures = [var.name]
}

run "a_key_that_is_gone_at_once_is_refused" {
  command = plan

  variables {
    key_deletion_days = 1
  }

  expect_failures = [var.key_deletion_days]
}
