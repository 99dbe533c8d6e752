# The feature cache of slide 6: three nodes in three zones, TLS and a token to get in.
#
# Slide 6 says 50 GB in memory and about $2,000 a month: that is cache.r6g.2xlarge, 52.8 GiB on
# each node, where all nodes hold the same. Redis needs a part of it for itself (a quarter, by
# reserved-memory-percent below), so about 40 GB are features. The next size, cache.r6g.4xlarge,
# holds all of 50 GB of features at twice the price.

resource "aws_elasticache_replication_group" "this" {
  replication_group_id = "${var.name}-features"
  description          = "Feature cache of ${var.name}"
  engine               = "redis"
  engine_version       = "7.1"
  node_type            = var.redis.node_type
  num_cache_clusters   = var.redis.nodes
  port                 = local.ports.redis
  parameter_group_name = aws_elasticache_parameter_group.this.name

  multi_az_enabled           = true
  automatic_failover_enabled = true

  at_rest_encryption_enabled = true
  kms_key_id                 = var.data_key_arn
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  auth_token                 = var.redis_auth_token
  auth_token_update_strategy = "ROTATE"

  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.database["redis"].id]
  auto_minor_version_upgrade = true
  snapshot_retention_limit   = 0 # Slide 15: no backups, a cache is rebuilt from its source.

  log_delivery_configuration {
    destination      = aws_cloudwatch_log_group.redis.name
    destination_type = "cloudwatch-logs"
    log_format       = "json"
    log_type         = "engine-log"
  }
}

resource "aws_elasticache_subnet_group" "this" {
  name       = "${var.name}-features"
  subnet_ids = var.subnet_ids
}

resource "aws_elasticache_parameter_group" "this" {
  name   = "${var.name}-features"
  family = "redis7"

  parameter {
    name  = "maxmemory-policy"
    value = "volatile-lru"
  }

  parameter {
    name  = "reserved-memory-percent"
    value = "25"
  }
}

resource "aws_cloudwatch_log_group" "redis" {
  name              = "/elasticache/${var.name}-features"
  retention_in_days = 2557 # Seven years (slide 12).
  kms_key_id        = var.logs_key_arn
}
