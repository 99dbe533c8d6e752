output "buckets" {
  description = "Buckets by what is in them (lake, models, phi): name, ARN and key. Empty where none are made."
  value = {
    for name, bucket in aws_s3_bucket.this : name => {
      name    = bucket.id
      arn     = bucket.arn
      key_arn = local.buckets[name].key
    }
  }
}

output "postgres" {
  description = "The metadata database: address, ARN, and the secret that holds its password."
  value = {
    address    = aws_db_instance.this.address
    arn        = aws_db_instance.this.arn
    secret_arn = aws_db_instance.this.master_user_secret[0].secret_arn
  }
}

output "redshift" {
  description = "The warehouse: identifier, address, and the secret that holds its password."
  value = {
    identifier = aws_redshift_cluster.this.cluster_identifier
    address    = aws_redshift_cluster.this.dns_name
    secret_arn = aws_redshift_cluster.this.master_password_secret_arn
  }
}

output "redis_address" {
  description = "Address of the feature cache's primary, port 6379, TLS."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}
