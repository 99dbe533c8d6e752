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
    condition     = toset(keys(output.arns)) == toset(["audit", "cluster", "data", "logs", "phi", "secrets"])
    error_message = "A kind of data has no key of its own."
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
