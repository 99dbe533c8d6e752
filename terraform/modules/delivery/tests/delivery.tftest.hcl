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
  name            = "mlops-test"
  oidc            = { provider_arn = "arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/A", issuer = "oidc.example.com/id/A" }
  secrets_key_arn = "arn:aws:kms:us-east-1:111122223333:key/secrets"

  audit = {
    table_arn       = "arn:aws:dynamodb:us-east-1:111122223333:table/audit"
    bucket_arn      = "arn:aws:s3:::audit"
    key_arn         = "arn:aws:kms:us-east-1:111122223333:key/audit"
    retention_years = 7
  }

  model_buckets = {
    models = { arn = "arn:aws:s3:::models", key_arn = "arn:aws:kms:us-east-1:111122223333:key/data", service_accounts = ["*-production:model-*"], except = ["*-phi-production:*"] }
    phi    = { arn = "arn:aws:s3:::phi", prefix = "models/", key_arn = "arn:aws:kms:us-east-1:111122223333:key/phi", service_accounts = ["*-phi-production:model-*"] }
  }
}

run "the_controller_appends_to_the_audit_trail_and_nothing_else" {
  assert {
    condition     = toset(flatten([for statement in jsondecode(aws_iam_role_policy.audit.policy).Statement : statement.Action if statement.Effect == "Allow"])) == toset(["dynamodb:PutItem", "dynamodb:Query", "s3:PutObject", "s3:PutObjectRetention", "kms:GenerateDataKey", "kms:Decrypt"])
    error_message = "The controller may do something else than append and read."
  }

  assert {
    condition     = alltrue([for action in ["dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:DeleteTable", "dynamodb:BatchWriteItem", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"] : contains(one([for statement in jsondecode(aws_iam_role_policy.audit.policy).Statement : statement.Action if statement.Effect == "Deny"]), action)])
    error_message = "Another policy could let the controller change the trail."
  }

  assert {
    condition     = { for statement in jsondecode(aws_iam_role_policy.audit.policy).Statement : one(statement.Action) => join(" ", [statement.Condition.StringEquals["s3:object-lock-mode"], statement.Condition.NumericGreaterThanEquals["s3:object-lock-remaining-retention-days"]]) if contains(["PutLocked", "Lock"], statement.Sid) } == { "s3:PutObject" = "COMPLIANCE 2555", "s3:PutObjectRetention" = "COMPLIANCE 2555" }
    error_message = "A record can be put without its lock."
  }

  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.audit.policy).Statement : statement.Condition.Null["s3:if-none-match"] if statement.Sid == "PutLocked"]) == "false"
    error_message = "A record can be put over another."
  }

  assert {
    condition     = length(setintersection(toset(flatten([for statement in jsondecode(aws_iam_role_policy.audit.policy).Statement : statement.Action if statement.Effect == "Allow"])), toset(flatten([for statement in jsondecode(aws_iam_role_policy.audit.policy).Statement : statement.Action if statement.Effect == "Deny"])))) == 0
    error_message = "The controller is denied what it needs."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.audit.policy, "\"*\"") && !strcontains(aws_iam_role_policy.audit.policy, ":*\"")
    error_message = "The policy has a wildcard."
  }

  assert {
    condition     = jsondecode(aws_iam_role.controller.assume_role_policy).Statement[0].Condition.StringEquals["oidc.example.com/id/A:sub"] == "system:serviceaccount:mooring-system:mooring-controller"
    error_message = "Another account than the controller's can take its role."
  }

  assert {
    condition     = alltrue([for role in concat([aws_iam_role.controller, aws_iam_role.external_secrets], values(aws_iam_role.serving)) : jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["oidc.example.com/id/A:aud"] == "sts.amazonaws.com"])
    error_message = "A token that was given for something else opens a role."
  }
}

run "the_external_secrets_operator_reads_entries_and_nothing_else" {
  assert {
    condition     = toset(flatten([for statement in jsondecode(aws_iam_role_policy.external_secrets.policy).Statement : statement.Action])) == toset(["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret", "kms:Decrypt"])
    error_message = "The operator may write."
  }

  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.external_secrets.policy).Statement : statement.Condition.StringEquals["kms:ViaService"] if statement.Action == ["kms:Decrypt"]]) == "secretsmanager.us-east-1.amazonaws.com"
    error_message = "The operator decrypts more than entries of Secrets Manager."
  }
}

run "secrets_outlive_their_region" {
  variables {
    secrets_replica = { region = "us-west-2", key_arn = "arn:aws:kms:us-west-2:111122223333:key/secrets" }
  }

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : join(" ", [one(secret.replica).region, one(secret.replica).kms_key_id]) == "us-west-2 arn:aws:kms:us-west-2:111122223333:key/secrets"])
    error_message = "A credential is lost with its region."
  }
}

run "the_second_region_reads_the_copies_of_the_lost_one_s_secrets" {
  variables {
    secrets        = {}
    copied_secrets = ["arn:aws:secretsmanager:us-west-2:111122223333:secret:mlops-production/*"]
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.external_secrets.policy).Statement[0].Resource == ["arn:aws:secretsmanager:us-west-2:111122223333:secret:mlops-production/*"] && length(aws_secretsmanager_secret.this) == 0
    error_message = "The operator does not read the copies, or reads more."
  }
}

run "a_key_of_the_first_region_for_copies_of_secrets_is_refused" {
  command = plan

  variables {
    secrets_replica = { region = "us-west-2", key_arn = "arn:aws:kms:us-east-1:111122223333:key/secrets" }
  }

  expect_failures = [var.secrets_replica]
}

run "all_secrets_of_the_account_as_copies_are_refused" {
  command = plan

  variables {
    copied_secrets = ["arn:aws:secretsmanager:us-west-2:111122223333:secret:*"]
  }

  expect_failures = [var.copied_secrets]
}

run "model_servers_read_their_own_bucket" {
  assert {
    condition     = alltrue([for name, policy in aws_iam_role_policy.serving : alltrue([for statement in jsondecode(policy.policy).Statement : !strcontains(jsonencode(statement.Resource), name == "phi" ? "s3:::models" : "s3:::phi")])])
    error_message = "What serves health data reads other data, or the other way round."
  }

  assert {
    condition     = toset(flatten([for policy in aws_iam_role_policy.serving : [for statement in jsondecode(policy.policy).Statement : statement.Action]])) == toset(["s3:GetObject", "s3:ListBucket", "kms:Decrypt"])
    error_message = "A model server may write."
  }

  assert {
    condition = { for name, policy in aws_iam_role_policy.serving : name => [
      for statement in jsondecode(policy.policy).Statement : statement.Action[0] == "s3:ListBucket" ? statement.Condition.StringLike["s3:prefix"] : one(statement.Resource) if startswith(statement.Action[0], "s3:")
      ] } == {
      models = ["arn:aws:s3:::models/*", "*"]
      phi    = ["arn:aws:s3:::phi/models/*", "models/*"]
    }
    error_message = "What serves models of health data reads the health data, too."
  }

  # clinical-phi-production ends in -production as well.
  assert {
    condition     = { for name, role in aws_iam_role.serving : name => try(jsondecode(role.assume_role_policy).Statement[0].Condition.StringNotLike["oidc.example.com/id/A:sub"], []) } == { models = ["system:serviceaccount:*-phi-production:*"], phi = [] }
    error_message = "What serves health data can take the role of other models, or cannot take its own."
  }
}

run "secrets_have_no_value_in_the_state_and_images_never_change" {
  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.kms_key_id == var.secrets_key_arn && secret.recovery_window_in_days == 30]) && contains(keys(aws_secretsmanager_secret.this), "github-app")
    error_message = "A secret is unprotected, or missing."
  }

  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : repository.image_tag_mutability == "IMMUTABLE" && repository.image_scanning_configuration[0].scan_on_push])
    error_message = "A tag can move, or an image is not scanned."
  }
}

run "only_the_main_branch_of_one_repository_pushes" {
  variables {
    github_repository        = "mlops-platform/mooring"
    image_replication_region = "us-west-2"
  }

  assert {
    condition     = jsondecode(aws_iam_role.push[0].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == "repo:mlops-platform/mooring:ref:refs/heads/main"
    error_message = "Another repository or branch can push images."
  }

  assert {
    condition     = one(one(aws_ecr_replication_configuration.this[0].replication_configuration[0].rule).destination).region == "us-west-2"
    error_message = "Images are not copied."
  }

  assert {
    condition     = join(" ", [aws_ecr_repository_creation_template.copies[0].region, one(aws_ecr_repository_creation_template.copies[0].applied_for), aws_ecr_repository_creation_template.copies[0].image_tag_mutability]) == "us-west-2 REPLICATION IMMUTABLE"
    error_message = "A tag can move in the second region."
  }
}

run "an_issuer_that_never_matches_is_refused" {
  command = plan

  variables {
    oidc = { provider_arn = "x", issuer = "https://oidc.example.com/id/A" }
  }

  expect_failures = [var.oidc]
}

run "any_account_as_the_controller_is_refused" {
  command = plan

  variables {
    controller_service_account = { namespace = "*", name = "mooring-controller" }
  }

  expect_failures = [var.controller_service_account]
}

run "six_years_are_refused" {
  command = plan

  variables {
    audit = { table_arn = "t", bucket_arn = "b", key_arn = "arn:aws:kms:us-east-1:111122223333:key/k", retention_years = 6 }
  }

  expect_failures = [var.audit]
}

run "an_audit_log_without_a_key_is_refused" {
  command = plan

  variables {
    audit = { table_arn = "t", bucket_arn = "b", key_arn = "", retention_years = 7 }
  }

  expect_failures = [var.audit]
}

run "models_without_a_key_are_refused" {
  command = plan

  variables {
    model_buckets = { models = { arn = "b", key_arn = "", service_accounts = ["*-production:model-*"] } }
  }

  expect_failures = [var.model_buckets]
}

run "any_account_as_a_model_server_is_refused" {
  command = plan

  variables {
    model_buckets = { models = { arn = "b", key_arn = "arn:aws:kms:us-east-1:111122223333:key/k", service_accounts = ["*:*"] } }
  }

  expect_failures = [var.model_buckets]
}

run "any_namespace_for_model_servers_is_refused" {
  command = plan

  variables {
    model_buckets = { models = { arn = "b", key_arn = "arn:aws:kms:us-east-1:111122223333:key/k", service_accounts = ["*:model-*"] } }
  }

  expect_failures = [var.model_buckets]
}

run "an_exception_that_names_no_account_is_refused" {
  command = plan

  variables {
    model_buckets = { models = { arn = "b", key_arn = "arn:aws:kms:us-east-1:111122223333:key/k", service_accounts = ["*-production:model-*"], except = ["*-phi-production"] } }
  }

  expect_failures = [var.model_buckets]
}

run "a_prefix_that_is_no_folder_is_refused" {
  command = plan

  variables {
    model_buckets = { phi = { arn = "b", key_arn = "arn:aws:kms:us-east-1:111122223333:key/k", prefix = "models", service_accounts = ["*-phi-production:model-*"] } }
  }

  expect_failures = [var.model_buckets]
}

run "secrets_without_a_key_are_refused" {
  command = plan

  variables {
    secrets_key_arn = ""
  }

  expect_failures = [var.secrets_key_arn]
}

run "any_repository_of_an_owner_is_refused" {
  command = plan

  variables {
    github_repository = "mlops-platform/*"
  }

  expect_failures = [var.github_repository]
}

run "a_name_with_capitals_is_refused" {
  command = plan

  variables {
    name = "MLOps"
  }

  expect_failures = [var.name]
}
