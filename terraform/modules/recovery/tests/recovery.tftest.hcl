mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-west-2:111122223333:key/copy" }
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

variables {
  name                = "mlops-test"
  postgres_arn        = "arn:aws:rds:us-east-1:111122223333:db:metadata"
  redshift_identifier = "warehouse"
  oidc                = { provider_arn = "arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/A", issuer = "oidc.example.com/id/A" }
}

run "the_second_region_of_slide_15" {
  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : bucket.region == "us-west-2"]) && alltrue([for key in aws_kms_key.this : key.region == "us-west-2" && key.enable_key_rotation])
    error_message = "A copy lies in the region that may be lost."
  }

  assert {
    condition     = toset(keys(output.buckets)) == toset(["audit", "lake", "models", "phi", "velero"])
    error_message = "Something has no copy."
  }

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket_versioning.this : bucket.region == "us-west-2" && bucket.versioning_configuration[0].status == "Enabled"])
    error_message = "A copy has no versions, which replication needs."
  }

  assert {
    condition     = one(aws_s3_bucket_object_lock_configuration.audit.rule).default_retention[0].mode == "COMPLIANCE" && one(aws_s3_bucket_object_lock_configuration.audit.rule).default_retention[0].years == 7
    error_message = "The copy of the audit records is not locked."
  }

  assert {
    condition     = aws_db_instance_automated_backups_replication.this.retention_period == 30 && aws_db_instance_automated_backups_replication.this.region == "us-west-2" && aws_redshift_snapshot_copy.this.destination_region == "us-west-2"
    error_message = "Backups of the databases are not copied for 30 days."
  }

  # Not kopia/, which every backup of a volume needs.
  assert {
    condition     = { for rule in aws_s3_bucket_lifecycle_configuration.this["velero"].rule : try(rule.filter[0].prefix, "") => rule.expiration[0].days if length(rule.expiration) > 0 } == { "backups/" = 35, "restores/" = 35 }
    error_message = "Backups of the cluster end before 30 days, or what all backups of volumes share ends with them."
  }

  # By prefix, what becomes of copies: as of what they are of, and models never go cold.
  assert {
    condition = toset(flatten([for name in ["lake", "models", "phi"] : [
      for rule in aws_s3_bucket_lifecycle_configuration.this[name].rule :
      [for fate in concat([for t in rule.transition : "${t.storage_class} ${t.days}"], [for e in rule.expiration : "expired ${e.days}"]) : "${name}/${rule.filter[0].prefix} ${fate}"]
      ]])) == toset([
      "lake/raw/ DEEP_ARCHIVE 365", "lake/processed/ DEEP_ARCHIVE 365", "lake/artifacts/experiments/ DEEP_ARCHIVE 365", "lake/artifacts/runs/ expired 90",
      "phi/raw/ DEEP_ARCHIVE 365", "phi/processed/ DEEP_ARCHIVE 365", "phi/artifacts/experiments/ DEEP_ARCHIVE 365",
    ])
    error_message = "Copies are kept longer than what they are of, or stay in a dearer class; or a copied model goes cold."
  }

  assert {
    condition = { for name, policy in aws_s3_bucket_policy.this : name => [for statement in jsondecode(policy.policy).Statement : statement.Sid if statement.Effect == "Deny" && statement.Principal == "*" && statement.Action != "s3:*"] } == {
      for name in ["lake", "models", "phi", "audit", "velero"] : name => concat(["NoOtherEncryption", "NoOtherKey"], name == "audit" ? ["RetentionOfSevenYearsAtLeast"] : [])
    }
    error_message = "A copy takes what its original refuses."
  }

  assert {
    condition     = { for name, policy in aws_s3_bucket_policy.this : name => one([for statement in jsondecode(policy.policy).Statement : try(statement.Condition.ArnNotEquals["aws:PrincipalArn"], "nobody") if statement.Sid == "NoOtherEncryption"]) } == { lake = "arn:aws:iam::111122223333:role/mlops-recovery-warehouse", models = "nobody", phi = "nobody", audit = "nobody", velero = "nobody" }
    error_message = "The restored warehouse cannot unload features, or somebody else evades a copy's key."
  }

  # The version denies older TLS, and Bool what has none.
  assert {
    condition = alltrue([for policy in aws_s3_bucket_policy.this : toset([
      for statement in jsondecode(policy.policy).Statement : jsonencode(statement.Condition) if statement.Effect == "Deny" && statement.Action == "s3:*" && length(statement.Resource) == 2
    ]) == toset([jsonencode({ NumericLessThan = { "s3:TlsVersion" = "1.2" } }), jsonencode({ Bool = { "aws:SecureTransport" = "false" } })])])
    error_message = "A bucket is reached by plain HTTP."
  }

  assert {
    condition     = length(aws_route53_record.platform) == 0
    error_message = "A name leads to load balancers that are not there."
  }
}

run "dynamodb_copies_the_audit_table_with_its_key" {
  assert {
    condition     = [for name, key in aws_kms_key.this : name if strcontains(key.policy, "AWSServiceRoleForDynamoDBReplication")] == ["audit"]
    error_message = "The audit table cannot be copied, or DynamoDB reads more than that."
  }

  assert {
    condition     = alltrue(flatten([for key in aws_kms_key.this : [for statement in jsondecode(key.policy).Statement : can(statement.Condition) || statement.Sid == "AccountPolicies"]]))
    error_message = "Anybody may use a key."
  }
}

run "a_database_of_the_second_region_is_refused" {
  command = plan

  variables {
    postgres_arn = "arn:aws:rds:us-west-2:111122223333:db:metadata"
  }

  expect_failures = [var.postgres_arn]
}

# A mock gives all resources of a type the same id.
override_resource {
  target = aws_route53_health_check.primary
  values = { id = "primary" }
}

override_resource {
  target = aws_route53_health_check.not_forced
  values = { id = "not-forced" }
}

override_resource {
  target = aws_route53_health_check.keeps_the_name
  values = { id = "keeps-the-name" }
}

run "the_name_leads_to_the_second_region_when_the_first_is_silent" {
  variables {
    dns = { zone_id = "Z1", name = "mlops.example.com", primary = "a.example.com", secondary = "b.example.com" }
  }

  assert {
    condition     = aws_route53_record.platform["PRIMARY"].health_check_id == "keeps-the-name" && aws_route53_record.platform["PRIMARY"].failover_routing_policy[0].type == "PRIMARY"
    error_message = "The first region keeps the name when it is silent."
  }

  assert {
    condition     = toset(aws_route53_health_check.keeps_the_name[0].child_healthchecks) == toset(["primary", "not-forced"]) && aws_route53_health_check.keeps_the_name[0].child_health_threshold == 2
    error_message = "The first region keeps the name though it is silent, or though somebody forces it away."
  }

  # Route 53's API, by which a health check is inverted, is lost with us-east-1.
  assert {
    condition     = join(" ", [aws_cloudwatch_metric_alarm.failover[0].region, aws_route53_health_check.not_forced[0].cloudwatch_alarm_region, aws_route53_health_check.not_forced[0].insufficient_data_health_status]) == "us-west-2 us-west-2 LastKnownStatus"
    error_message = "The failover is forced from the region that is lost, or does not last."
  }

  assert {
    condition     = one(aws_route53_record.platform["SECONDARY"].records) == "b.example.com" && aws_route53_record.platform["SECONDARY"].ttl <= 60
    error_message = "The second region does not get the name within a minute."
  }
}

run "backups_for_a_week_are_refused" {
  command = plan

  variables {
    backup_days = 7
  }

  expect_failures = [var.backup_days]
}

run "copies_that_are_cold_at_once_are_refused" {
  command = plan

  variables {
    cold_after_days = 7
  }

  expect_failures = [var.cold_after_days]
}

run "copies_of_runs_for_a_week_are_refused" {
  command = plan

  variables {
    artifact_retention_days = 7
  }

  expect_failures = [var.artifact_retention_days]
}

run "a_lock_of_six_years_is_refused" {
  command = plan

  variables {
    audit_retention_years = 6
  }

  expect_failures = [var.audit_retention_years]
}

run "a_name_that_leads_to_the_lost_region_is_refused" {
  command = plan

  variables {
    dns = { zone_id = "Z1", name = "mlops.example.com", primary = "a.example.com", secondary = "a.example.com" }
  }

  expect_failures = [var.dns]
}

run "a_zone_as_the_region_is_refused" {
  command = plan

  variables {
    recovery_region = "us-west-2a"
  }

  expect_failures = [var.recovery_region]
}

run "an_issuer_that_never_matches_is_refused" {
  command = plan

  variables {
    oidc = { provider_arn = "x", issuer = "https://oidc.example.com/id/A" }
  }

  expect_failures = [var.oidc]
}

run "a_restored_name_with_capitals_is_refused" {
  command = plan

  variables {
    restored_name = "Recovery"
  }

  expect_failures = [var.restored_name]
}

run "a_name_with_capitals_is_refused" {
  command = plan

  variables {
    name = "MLOps"
  }

  expect_failures = [var.name]
}
