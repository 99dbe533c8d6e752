# Slide 15, scenario 2, step 1: the platform's name leads to the second region when the first does
# not answer. Route 53 decides by itself, from several places in the world.
#
# A person forces it by a metric in the second region. To invert or disable a health check would need
# Route 53's API, which is in us-east-1 and may be lost with it; what Route 53 has been told before
# goes on everywhere. Of an alarm it reads the metric, not the state that somebody sets, and keeps
# to the last value that it has seen.

resource "aws_route53_health_check" "primary" {
  count = var.dns == null ? 0 : 1

  type              = "HTTPS"
  fqdn              = var.dns.primary
  port              = 443
  resource_path     = var.dns.health_path
  request_interval  = 30
  failure_threshold = 3
  enable_sni        = true

  tags = { Name = "${var.name}-primary" }
}

resource "aws_cloudwatch_metric_alarm" "failover" {
  count  = var.dns == null ? 0 : 1
  region = var.recovery_region

  alarm_name          = "${var.name}-failover"
  alarm_description   = "Leads the platform's name to this region while the metric is 1 (docs/operations/disaster-recovery.md)"
  namespace           = var.name
  metric_name         = "failover"
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "ignore"
}

resource "aws_route53_health_check" "not_forced" {
  count = var.dns == null ? 0 : 1

  type                            = "CLOUDWATCH_METRIC"
  cloudwatch_alarm_name           = aws_cloudwatch_metric_alarm.failover[0].alarm_name
  cloudwatch_alarm_region         = var.recovery_region
  insufficient_data_health_status = "LastKnownStatus" # Healthy before there is any.

  tags = { Name = "${var.name}-not-forced" }
}

# The first region keeps the name while it answers and nobody has forced it away.
resource "aws_route53_health_check" "keeps_the_name" {
  count = var.dns == null ? 0 : 1

  type                   = "CALCULATED"
  child_healthchecks     = [aws_route53_health_check.primary[0].id, aws_route53_health_check.not_forced[0].id]
  child_health_threshold = 2

  tags = { Name = "${var.name}-keeps-the-name" }
}

resource "aws_route53_record" "platform" {
  for_each = var.dns == null ? {} : { PRIMARY = var.dns.primary, SECONDARY = var.dns.secondary }

  zone_id         = var.dns.zone_id
  name            = var.dns.name
  type            = "CNAME"
  ttl             = 60
  records         = [each.value]
  set_identifier  = lower(each.key)
  health_check_id = each.key == "PRIMARY" ? aws_route53_health_check.keeps_the_name[0].id : null

  failover_routing_policy {
    type = each.key
  }
}
