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

run "the_storage_of_slide_6" {
  assert {
    condition     = length([for name in ["raw/events/", "raw/logs/", "raw/external/", "processed/features/", "processed/training-data/", "processed/inference-data/", "models/", "artifacts/experiments/", "artifacts/runs/"] : name if contains(keys(aws_s3_object.prefix), name)]) == 9
    error_message = "A folder of the lake is missing."
  }

  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this["lake"].rule : join(" ", sort([for transition in rule.transition : "${transition.storage_class} ${transition.days}"])) if rule.id == "hot-warm-cold-raw"]) == "DEEP_ARCHIVE 365 INTELLIGENT_TIERING 90"
    error_message = "Raw data is not warm after 90 days and cold after 365."
  }

  # Each prefix by whether it goes cold: models are served from all three buckets.
  assert {
    condition = { for name, bucket in aws_s3_bucket_lifecycle_configuration.this : name => {
      for rule in bucket.rule : try(rule.filter[0].prefix, "") => anytrue([for transition in rule.transition : transition.storage_class == "DEEP_ARCHIVE"]) if length(rule.transition) > 0
      } } == {
      lake   = { "raw/" = true, "processed/" = true, "artifacts/experiments/" = true, "models/" = false }
      models = { "" = false }
      phi    = { "raw/" = true, "processed/" = true, "artifacts/experiments/" = true, "models/" = false }
    }
    error_message = "A model can go cold, and its pods cannot start then; or data never does."
  }

  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this["lake"].rule : rule.expiration[0].days if rule.id == "old-runs"]) == 90
    error_message = "Old runs are not deleted after 90 days."
  }

  # The folder itself is an object of no size.
  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this["lake"].rule : join(" ", [rule.filter[0].and[0].prefix, rule.filter[0].and[0].object_size_greater_than]) if rule.id == "old-runs"]) == "artifacts/runs/ 1"
    error_message = "The folder of runs ends with old runs, and each apply makes it anew."
  }

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket_versioning.this : bucket.versioning_configuration[0].status == "Enabled"]) && length(aws_s3_bucket_versioning.this) == 3
    error_message = "A bucket has no versions to restore from."
  }

  assert {
    condition     = alltrue([for name, bucket in aws_s3_bucket_server_side_encryption_configuration.this : one(bucket.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == (name == "phi" ? var.phi_key_arn : var.data_key_arn)])
    error_message = "Health data shares a key with other data, or a bucket has none."
  }

  assert {
    condition     = join(" ", [aws_redshift_cluster.this.node_type, aws_redshift_cluster.this.number_of_nodes, aws_redshift_cluster.this.multi_az]) == "ra3.xlplus 3 true"
    error_message = "The warehouse is not three ra3.xlplus, multi-AZ."
  }

  assert {
    condition     = jsondecode(one([for parameter in aws_redshift_parameter_group.this.parameter : parameter.value if parameter.name == "wlm_json_configuration"]))[0].query_concurrency == 50
    error_message = "The warehouse does not run 50 queries together."
  }

  assert {
    condition     = one([for parameter in aws_redshift_parameter_group.this.parameter : parameter.value if parameter.name == "require_ssl"]) == "true" && tobool(aws_redshift_cluster.this.encrypted)
    error_message = "The warehouse takes connections without TLS, or is not encrypted."
  }

  assert {
    condition     = aws_elasticache_replication_group.this.num_cache_clusters == 3 && aws_elasticache_replication_group.this.multi_az_enabled && aws_elasticache_replication_group.this.node_type == "cache.r6g.2xlarge"
    error_message = "The cache is not three nodes of 50 GB, multi-AZ."
  }

  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_mode == "required" && aws_elasticache_replication_group.this.auth_token == var.redis_auth_token
    error_message = "The cache lets clients in without TLS or without a token."
  }

  assert {
    condition     = join(" ", [aws_db_instance.this.instance_class, aws_db_instance.this.multi_az, aws_db_instance.this.allocated_storage, aws_db_instance.this.storage_type, aws_db_instance.this.backup_retention_period]) == "db.r5.xlarge true 500 gp3 30"
    error_message = "PostgreSQL is not db.r5.xlarge, multi-AZ, 500 GB gp3 with backups for 30 days."
  }

  assert {
    condition     = aws_db_instance.this.storage_encrypted && aws_db_instance.this.deletion_protection && !aws_db_instance.this.publicly_accessible && one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == "rds.force_ssl"]) == "1"
    error_message = "PostgreSQL is unprotected."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.database : rule.referenced_security_group_id == "sg-nodes" && rule.from_port == rule.to_port]) && length(aws_vpc_security_group_ingress_rule.database) == 3
    error_message = "Others than the nodes can connect to a database."
  }

  assert {
    condition = alltrue(flatten([for policy in aws_s3_bucket_policy.this : [
      for statement in jsondecode(policy.policy).Statement : statement.Effect == "Deny" && statement.Principal == "*"
    ]]))
    error_message = "A bucket's policy lets somebody in."
  }

  # The version denies older TLS, and Bool what has none.
  assert {
    condition = alltrue([for policy in aws_s3_bucket_policy.this : toset([
      for statement in jsondecode(policy.policy).Statement : jsonencode(statement.Condition) if statement.Effect == "Deny" && statement.Action == "s3:*" && length(statement.Resource) == 2
    ]) == toset([jsonencode({ NumericLessThan = { "s3:TlsVersion" = "1.2" } }), jsonencode({ Bool = { "aws:SecureTransport" = "false" } })])])
    error_message = "A bucket is reached by plain HTTP."
  }

  # Null is what keeps the denial from uploads that name no key and get the bucket's.
  assert {
    condition = { for name, policy in aws_s3_bucket_policy.this : name => one([
      for statement in jsondecode(policy.policy).Statement : join(" ", [statement.Condition.ArnNotEquals["s3:x-amz-server-side-encryption-aws-kms-key-id"], statement.Condition.Null["s3:x-amz-server-side-encryption-aws-kms-key-id"]])
      if statement.Sid == "NoOtherKey"
    ]) } == { lake = "${var.data_key_arn} false", models = "${var.data_key_arn} false", phi = "${var.phi_key_arn} false" }
    error_message = "Data can be written with another key than its bucket's, or cannot be written at all."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.redshift.policy).Statement : !strcontains(jsonencode(statement), "phi")])
    error_message = "The warehouse reads health data."
  }

  # An UNLOAD asks for S3's own key where it names none, as Feast's do.
  assert {
    condition = { for name, policy in aws_s3_bucket_policy.this : name => one([
      for statement in jsondecode(policy.policy).Statement : try(statement.Condition.ArnNotEquals["aws:PrincipalArn"], "nobody") if statement.Sid == "NoOtherEncryption"
    ]) } == { lake = aws_iam_role.redshift.arn, models = "nobody", phi = "nobody" }
    error_message = "The warehouse cannot unload features, or somebody else evades a bucket's key."
  }

  assert {
    condition     = flatten([for statement in jsondecode(aws_iam_role_policy.redshift.policy).Statement : statement.Resource if contains(statement.Action, "s3:PutObject")]) == ["${aws_s3_bucket.this["lake"].arn}/processed/features/*"]
    error_message = "The warehouse writes more than features past the lake's key."
  }

  assert {
    condition     = length(aws_s3_bucket_replication_configuration.this) == 0
    error_message = "Data is replicated to nowhere."
  }
}

run "all_data_is_copied_within_a_quarter_of_an_hour" {
  variables {
    replication = {
      lake   = { arn = "arn:aws:s3:::lake-copy", key_arn = "arn:aws:kms:us-west-2:111122223333:key/data" }
      models = { arn = "arn:aws:s3:::models-copy", key_arn = "arn:aws:kms:us-west-2:111122223333:key/data" }
      phi    = { arn = "arn:aws:s3:::phi-copy", key_arn = "arn:aws:kms:us-west-2:111122223333:key/phi" }
    }
  }

  assert {
    condition     = { for name, copy in aws_s3_bucket_replication_configuration.this : name => join(" ", [copy.rule[0].destination[0].bucket, copy.rule[0].destination[0].replication_time[0].time[0].minutes]) } == { lake = "arn:aws:s3:::lake-copy 15", models = "arn:aws:s3:::models-copy 15", phi = "arn:aws:s3:::phi-copy 15" }
    error_message = "A bucket is not copied, or too late."
  }

  assert {
    condition     = aws_s3_bucket_replication_configuration.this["phi"].rule[0].destination[0].encryption_configuration[0].replica_kms_key_id == "arn:aws:kms:us-west-2:111122223333:key/phi"
    error_message = "The copy of health data shares a key with others."
  }

  assert {
    condition     = alltrue([for role in [aws_iam_role.replication[0], aws_iam_role.redshift] : !can(jsondecode(role.assume_role_policy).Statement[0].Condition)])
    error_message = "A service cannot take its role where it does not send what the role's trust compares."
  }

  assert {
    condition = toset(flatten([for statement in jsondecode(aws_iam_role_policy.replication[0].policy).Statement : statement.Action])) == toset([
      "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl",
      "s3:GetObjectVersionTagging", "s3:ReplicateObject", "s3:ReplicateTags", "kms:Decrypt", "kms:Encrypt",
    ])
    error_message = "Encrypted objects cannot be copied, or the role of copies may do more, such as copy deletions."
  }
}

run "a_restored_warehouse_without_its_lake_is_refused" {
  command = plan

  variables {
    create_buckets = false
    logs_bucket    = ""
  }

  expect_failures = [var.lake_bucket_arn]
}

run "data_without_a_key_is_refused" {
  command = plan

  variables {
    data_key_arn = ""
  }

  expect_failures = [var.data_key_arn]
}

run "one_key_for_health_data_and_others_is_refused" {
  command = plan

  variables {
    phi_key_arn = "arn:aws:kms:us-east-1:111122223333:key/data"
  }

  expect_failures = [var.phi_key_arn]
}

run "logs_without_a_key_are_refused" {
  command = plan

  variables {
    logs_key_arn = "none"
  }

  expect_failures = [var.logs_key_arn]
}

run "buckets_without_access_logs_are_refused" {
  command = plan

  variables {
    logs_bucket = ""
  }

  expect_failures = [var.logs_bucket]
}

run "two_subnets_are_refused" {
  command = plan

  variables {
    subnet_ids = ["subnet-1", "subnet-2"]
  }

  expect_failures = [var.subnet_ids]
}

run "a_cold_tier_before_the_warm_one_is_refused" {
  command = plan

  variables {
    lifecycle_days = { warm = 90, cold = 60 }
  }

  expect_failures = [var.lifecycle_days]
}

run "a_week_for_artefacts_is_refused" {
  command = plan

  variables {
    artifact_retention_days = 7
  }

  expect_failures = [var.artifact_retention_days]
}

run "replication_without_health_data_is_refused" {
  command = plan

  variables {
    replication = {
      lake   = { arn = "arn:aws:s3:::lake-copy", key_arn = "arn:aws:kms:us-west-2:111122223333:key/data" }
      models = { arn = "arn:aws:s3:::models-copy", key_arn = "arn:aws:kms:us-west-2:111122223333:key/data" }
    }
  }

  expect_failures = [var.replication]
}

run "copies_without_a_key_are_refused" {
  command = plan

  variables {
    replication = { for name in ["lake", "models", "phi"] : name => { arn = "arn:aws:s3:::${name}-copy", key_arn = "" } }
  }

  expect_failures = [var.replication]
}

run "a_warehouse_that_cannot_be_multi_az_is_refused" {
  command = plan

  variables {
    redshift = { node_type = "dc2.large" }
  }

  expect_failures = [var.redshift]
}

run "fifty_one_concurrent_queries_are_refused" {
  command = plan

  variables {
    redshift = { concurrency = 51 }
  }

  expect_failures = [var.redshift]
}

run "two_cache_nodes_are_refused" {
  command = plan

  variables {
    redis = { nodes = 2 }
  }

  expect_failures = [var.redis]
}

run "a_short_cache_token_is_refused" {
  command = plan

  variables {
    redis_auth_token = "secret"
  }

  expect_failures = [var.redis_auth_token]
}

run "backups_for_a_week_are_refused" {
  command = plan

  variables {
    postgres = { backup_days = 7 }
  }

  expect_failures = [var.postgres]
}

run "a_disk_that_cannot_grow_is_refused" {
  command = plan

  variables {
    postgres = { storage_gb = 500, max_storage_gb = 500 }
  }

  expect_failures = [var.postgres]
}

run "a_snapshot_in_the_place_of_backups_is_refused" {
  command = plan

  variables {
    postgres_restore_from = "rds:mlops-production-metadata-2026-11-23"
  }

  expect_failures = [var.postgres_restore_from]
}

run "a_name_with_capitals_is_refused" {
  command = plan

  variables {
    name = "MLOps"
  }

  expect_failures = [var.name]
}

run "no_snapshots_of_the_warehouse_are_refused" {
  command = plan

  variables {
    redshift = { backup_days = 0 }
  }

  expect_failures = [var.redshift]
}
