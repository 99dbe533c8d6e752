mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:us-east-1:111122223333:table/mlops-test-audit" }
  }

  mock_data "aws_region" {
    defaults = { region = "us-east-1" }
  }
}

variables {
  name         = "mlops-test"
  key_arns     = { audit = "arn:aws:kms:us-east-1:111122223333:key/audit", logs = "arn:aws:kms:us-east-1:111122223333:key/logs" }
  alert_emails = ["sre@example.com"]
  teams        = { data-science = { cost_center = "CC-1", monthly_usd = 19000, emails = ["a@example.com"] } }
}

run "the_audit_trail_of_slide_12" {
  assert {
    condition     = aws_dynamodb_table.audit.deletion_protection_enabled && aws_dynamodb_table.audit.point_in_time_recovery[0].enabled && aws_dynamodb_table.audit.server_side_encryption[0].kms_key_arn == var.key_arns.audit
    error_message = "The audit table is unprotected."
  }

  assert {
    condition     = join(" ", [one(aws_s3_bucket_object_lock_configuration.audit.rule).default_retention[0].mode, one(aws_s3_bucket_object_lock_configuration.audit.rule).default_retention[0].years]) == "COMPLIANCE 7" && aws_s3_bucket.audit.object_lock_enabled
    error_message = "Audit records are not locked for seven years."
  }

  assert {
    condition     = length([for rule in aws_s3_bucket_lifecycle_configuration.audit.rule : rule if length(rule.expiration) > 0]) == 0
    error_message = "Audit records expire."
  }

  assert {
    condition     = one([for statement in jsondecode(aws_s3_bucket_policy.audit.policy).Statement : statement.Condition.NumericLessThan["s3:object-lock-remaining-retention-days"] if statement.Sid == "RetentionOfSevenYearsAtLeast"]) == "2555"
    error_message = "A record can be locked for less than seven years."
  }

  assert {
    condition = alltrue([for action in ["dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:UpdateTimeToLive"] :
      contains(one([for statement in jsondecode(aws_dynamodb_resource_policy.audit["us-east-1"].policy).Statement : statement.Action if statement.Effect == "Deny" && statement.Principal == "*"]), action)
    ])
    error_message = "Somebody in the account can change or delete a record of the table."
  }

  assert {
    condition     = alltrue([for policy in aws_dynamodb_resource_policy.audit : one(jsondecode(policy.policy).Statement).Condition.BoolIfExists["aws:PrincipalIsAWSService"] == "false"])
    error_message = "DynamoDB is kept from copying its own table."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_s3_bucket_policy.audit.policy).Statement : statement.Effect == "Deny"])
    error_message = "The bucket's policy lets somebody in."
  }

  # The version denies older TLS, and Bool what has none.
  assert {
    condition = alltrue([for policy in [aws_s3_bucket_policy.audit, aws_s3_bucket_policy.logs, aws_s3_bucket_policy.trail] : toset([
      for statement in jsondecode(policy.policy).Statement : jsonencode(statement.Condition) if statement.Effect == "Deny" && statement.Action == "s3:*" && length(statement.Resource) == 2
    ]) == toset([jsonencode({ NumericLessThan = { "s3:TlsVersion" = "1.2" } }), jsonencode({ Bool = { "aws:SecureTransport" = "false" } })])])
    error_message = "A bucket is reached by plain HTTP."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.logs.rule[0].expiration[0].days >= 2557
    error_message = "Logs end before seven years."
  }
}

run "each_month_says_what_a_team_has_cost" {
  assert {
    condition     = aws_bcmdataexports_export.costs[0].export[0].data_query[0].table_configurations["COST_AND_USAGE_REPORT"]["INCLUDE_SPLIT_COST_ALLOCATION_DATA"] == "TRUE" && alltrue([for column in ["resource_tags", "split_line_item_split_cost"] : strcontains(aws_bcmdataexports_export.costs[0].export[0].data_query[0].query_statement, column)])
    error_message = "Shared nodes are not divided among teams, or the report has not their tags."
  }

  assert {
    condition     = one([for statement in jsondecode(aws_s3_bucket_policy.logs.policy).Statement : statement.Resource if statement.Sid == "CostsWrite"]) == ["${aws_s3_bucket.logs.arn}/${aws_bcmdataexports_export.costs[0].export[0].destination_configurations[0].s3_destination[0].s3_prefix}/*"]
    error_message = "The report cannot be delivered."
  }
}

run "what_happens_is_recorded_and_watched" {
  assert {
    condition     = aws_cloudtrail.this.is_multi_region_trail && aws_cloudtrail.this.enable_log_file_validation && aws_cloudtrail.this.kms_key_id == var.key_arns.logs && aws_cloudwatch_log_group.trail.retention_in_days == 2557
    error_message = "CloudTrail does not cover all regions, provably, for seven years."
  }

  assert {
    condition     = join(" ", [one(aws_s3_bucket_object_lock_configuration.trail.rule).default_retention[0].mode, one(aws_s3_bucket_object_lock_configuration.trail.rule).default_retention[0].years]) == "COMPLIANCE 7" && aws_cloudtrail.this.s3_bucket_name == aws_s3_bucket.trail.id
    error_message = "What happened in the account can be deleted."
  }

  # S3 delivers no access log to a bucket with an object lock, and AWS Config nothing to one with a retention.
  assert {
    condition     = aws_s3_bucket.logs.object_lock_enabled != true && aws_config_delivery_channel.this[0].s3_bucket_name == aws_s3_bucket.logs.id && aws_s3_bucket_logging.audit.target_bucket == aws_s3_bucket.logs.id
    error_message = "Access logs or AWS Config's records cannot be delivered."
  }

  assert {
    condition     = alltrue(flatten([for policy in [aws_s3_bucket_policy.logs, aws_s3_bucket_policy.trail] : [for statement in jsondecode(policy.policy).Statement : can(statement.Condition.StringEquals["aws:SourceAccount"]) || can(statement.Condition.StringEquals["aws:SourceArn"]) if statement.Effect == "Allow"]]))
    error_message = "Another account's services can write to a bucket of logs."
  }

  assert {
    condition     = aws_guardduty_detector.this[0].enable && contains(keys(aws_guardduty_detector_feature.this), "EKS_AUDIT_LOGS")
    error_message = "GuardDuty does not read the audit log."
  }

  assert {
    condition     = aws_config_configuration_recorder_status.this[0].is_enabled && length(aws_config_config_rule.this) == length(local.config_rules)
    error_message = "AWS Config does not record."
  }

  assert {
    condition     = jsondecode(aws_iam_policy.mfa[0].policy).Statement[0].Condition.BoolIfExists["aws:MultiFactorAuthPresent"] == "false"
    error_message = "People need no second factor."
  }

  assert {
    condition     = aws_iam_group_policy_attachment.people[0].policy_arn == aws_iam_policy.mfa[0].arn && output.people_group == "mlops-test-people"
    error_message = "The policy that asks for a second factor is nobody's."
  }

  assert {
    condition     = aws_ebs_encryption_by_default.this[0].enabled && aws_s3_account_public_access_block.this[0].restrict_public_buckets
    error_message = "A disk can be made unencrypted, or a bucket public."
  }

  assert {
    condition     = toset(values(jsondecode(aws_config_config_rule.tags[0].input_parameters))) == toset(["team", "cost-center", "data-classification"])
    error_message = "A resource without its tags is not found."
  }
}

run "somebody_is_told" {
  assert {
    condition     = toset([for rule in aws_cloudwatch_event_rule.alerts : one(jsondecode(rule.event_pattern).source)]) == toset(["aws.guardduty", "aws.config"]) && toset([for target in aws_cloudwatch_event_target.alerts : target.arn]) == toset([aws_sns_topic.alerts.arn])
    error_message = "A threat or a setting against the rules reaches nobody."
  }

  assert {
    condition     = [for subscription in aws_sns_topic_subscription.alerts : subscription.endpoint] == ["sre@example.com"] && aws_sns_topic.alerts.kms_master_key_id == var.key_arns.logs
    error_message = "Alerts are sent to nobody, or kept unencrypted."
  }

  # With a condition EventBridge would publish nothing, and say nothing of it.
  assert {
    condition     = alltrue([for statement in jsondecode(aws_sns_topic_policy.alerts.policy).Statement : !can(statement.Condition) && statement.Principal == { Service = "events.amazonaws.com" }])
    error_message = "Alerts do not get through, or others than EventBridge send some."
  }
}

run "health_data_is_watched" {
  variables {
    watched_bucket_arns = ["arn:aws:s3:::phi", "arn:aws:s3:::phi-copy"]
  }

  assert {
    condition     = contains(flatten([for selector in aws_cloudtrail.this.advanced_event_selector : [for field in selector.field_selector : field.starts_with if field.field == "resources.ARN" && selector.name == "Watched buckets"]]), "arn:aws:s3:::phi-copy/")
    error_message = "Nobody knows who read health data."
  }
}

run "teams_pay_for_what_they_use" {
  variables {
    activate_cost_tags = true
  }

  assert {
    condition     = aws_budgets_budget.team["data-science"].limit_amount == "19000" && one(one(aws_budgets_budget.team["data-science"].cost_filter).values) == "user:cost-center$CC-1"
    error_message = "The budget is not that of the team."
  }

  assert {
    condition     = contains(keys(aws_ce_cost_allocation_tag.this), "cost-center") && contains(keys(aws_ce_cost_allocation_tag.this), "team")
    error_message = "A tag is no column of the bill."
  }
}

run "audit_records_have_a_copy_in_the_second_region" {
  variables {
    replica           = { region = "us-west-2", key_arn = "arn:aws:kms:us-west-2:111122223333:key/audit" }
    audit_replication = { bucket_arn = "arn:aws:s3:::audit-copy", key_arn = "arn:aws:kms:us-west-2:111122223333:key/audit" }
  }

  assert {
    condition     = one(aws_dynamodb_table.audit.replica).region_name == "us-west-2" && one(aws_dynamodb_table.audit.replica).point_in_time_recovery
    error_message = "The audit table has no copy."
  }

  assert {
    condition     = aws_s3_bucket_replication_configuration.audit[0].rule[0].destination[0].bucket == "arn:aws:s3:::audit-copy"
    error_message = "The locked records have no copy."
  }

  assert {
    condition     = aws_s3_bucket_replication_configuration.audit[0].rule[0].delete_marker_replication[0].status == "Disabled"
    error_message = "Who hides a record hides its copy."
  }

  assert {
    condition     = alltrue([for action in ["s3:GetObjectRetention", "s3:GetObjectLegalHold"] : contains(flatten([for statement in jsondecode(aws_iam_role_policy.audit_replication[0].policy).Statement : statement.Action]), action)])
    error_message = "Locked records cannot be copied with their lock."
  }

  assert {
    condition     = { for region, policy in aws_dynamodb_resource_policy.audit : region => policy.region } == { us-east-1 = "us-east-1", us-west-2 = "us-west-2" }
    error_message = "The copy of the table can be changed."
  }

  assert {
    condition     = length(flatten([for selector in aws_cloudtrail.this.advanced_event_selector : [for field in selector.field_selector : field.equals if field.field == "resources.ARN" && selector.name == "Audit table"]])) == 2
    error_message = "Nobody knows who wrote to the copy of the table."
  }
}

run "a_copy_with_a_key_of_another_region_is_refused" {
  command = plan

  variables {
    replica = { region = "us-west-2", key_arn = "arn:aws:kms:us-east-1:111122223333:key/audit" }
  }

  expect_failures = [var.replica]
}

run "alerts_for_nobody_are_refused" {
  command = plan

  variables {
    alert_emails = []
  }

  expect_failures = [var.alert_emails]
}

# On the first day AWS does not know the tags and would refuse all of the apply's end.
run "tags_are_no_columns_of_the_bill_on_the_first_day" {
  command = plan

  assert {
    condition     = length(aws_ce_cost_allocation_tag.this) == 0
    error_message = "The first apply fails."
  }
}

run "a_second_composition_in_an_account_makes_nothing_twice" {
  variables {
    account_services = false
  }

  assert {
    condition     = length(aws_guardduty_detector.this) + length(aws_config_configuration_recorder.this) + length(aws_iam_account_password_policy.this) + length(aws_ebs_encryption_by_default.this) + length(aws_s3_account_public_access_block.this) + length(aws_cloudwatch_event_rule.alerts) + length(aws_config_config_rule.tags) == 0
    error_message = "What an account has once is made twice."
  }
}

run "six_years_are_refused" {
  command = plan

  variables {
    retention_years = 6
  }

  expect_failures = [var.retention_years]
}

run "half_years_are_refused" {
  command = plan

  variables {
    retention_years = 7.5
  }

  expect_failures = [var.retention_years]
}

run "a_lock_for_a_century_is_refused" {
  command = plan

  variables {
    retention_years = 100
  }

  expect_failures = [var.retention_years]
}

run "logs_for_a_year_are_refused" {
  command = plan

  variables {
    log_retention_days = 365
  }

  expect_failures = [var.log_retention_days]
}

run "one_key_for_the_trail_and_for_logs_is_refused" {
  command = plan

  variables {
    key_arns = { audit = "arn:aws:kms:us-east-1:111122223333:key/x", logs = "arn:aws:kms:us-east-1:111122223333:key/x" }
  }

  expect_failures = [var.key_arns]
}

run "no_key_is_refused" {
  command = plan

  variables {
    key_arns = { audit = "", logs = "arn:aws:kms:us-east-1:111122223333:key/x" }
  }

  expect_failures = [var.key_arns]
}

run "a_team_without_a_budget_is_refused" {
  command = plan

  variables {
    teams = { a = { cost_center = "CC-1", monthly_usd = 0, emails = ["a@example.com"] } }
  }

  expect_failures = [var.teams]
}

run "a_budget_that_nobody_hears_of_is_refused" {
  command = plan

  variables {
    teams = { a = { cost_center = "CC-1", monthly_usd = 1, emails = [] } }
  }

  expect_failures = [var.teams]
}

run "a_name_with_capitals_is_refused" {
  command = plan

  variables {
    name = "MLOps"
  }

  expect_failures = [var.name]
}

run "development_is_not_alerted_by_what_it_is_made_without" {
  variables {
    config_rules_off = ["rds-multi-az-support"]
  }

  assert {
    condition     = setsubtract(keys(local.config_rules), keys(aws_config_config_rule.this)) == toset(["rds-multi-az-support"])
    error_message = "A rule is off that was not named, or the other way round."
  }
}

run "encryption_that_nobody_watches_is_refused" {
  command = plan

  variables {
    config_rules_off = ["encrypted-volumes"]
  }

  expect_failures = [var.config_rules_off]
}

run "copies_of_audit_records_without_a_key_are_refused" {
  command = plan

  variables {
    audit_replication = { bucket_arn = "arn:aws:s3:::audit-copy", key_arn = "" }
  }

  expect_failures = [var.audit_replication]
}
