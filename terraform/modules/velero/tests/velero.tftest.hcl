mock_provider "aws" {}

variables {
  name   = "mlops-test"
  oidc   = { provider_arn = "arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/A", issuer = "oidc.example.com/id/A" }
  bucket = { arn = "arn:aws:s3:::velero", key_arn = "arn:aws:kms:us-west-2:111122223333:key/data" }
}

run "velero_writes_its_bucket_and_nothing_else" {
  assert {
    condition     = alltrue(flatten([for statement in jsondecode(aws_iam_role_policy.velero.policy).Statement : [for resource in statement.Resource : contains(["arn:aws:s3:::velero", "arn:aws:s3:::velero/*", "arn:aws:kms:us-west-2:111122223333:key/data"], resource)]]))
    error_message = "Velero reaches something else than its bucket."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.velero.policy).Statement : !strcontains(jsonencode(statement.Action), "ec2:")])
    error_message = "Velero makes snapshots, which are lost with the region."
  }

  assert {
    condition     = jsondecode(aws_iam_role.velero.assume_role_policy).Statement[0].Condition.StringEquals == { "oidc.example.com/id/A:sub" = "system:serviceaccount:velero:velero", "oidc.example.com/id/A:aud" = "sts.amazonaws.com" }
    error_message = "Another account than Velero's can take its role."
  }
}

run "backups_without_a_key_are_refused" {
  command = plan

  variables {
    bucket = { arn = "arn:aws:s3:::velero", key_arn = "" }
  }

  expect_failures = [var.bucket]
}

run "an_issuer_that_never_matches_is_refused" {
  command = plan

  variables {
    oidc = { provider_arn = "x", issuer = "https://oidc.example.com/id/A" }
  }

  expect_failures = [var.oidc]
}

run "a_name_with_capitals_is_refused" {
  command = plan

  variables {
    name = "MLOps"
  }

  expect_failures = [var.name]
}
