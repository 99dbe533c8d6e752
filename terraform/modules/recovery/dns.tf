# Slide 15, scenario 2, step 1: the platform's name leads to the second region when the first does
# not answer. Route 53 decides by itself, from several places in the world. A person forces it by
# inverting the health check; a disabled one counts as healthy, and holds the name where it is.

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

resource "aws_route53_record" "platform" {
  for_each = var.dns == null ? {} : { PRIMARY = var.dns.primary, SECONDARY = var.dns.secondary }

  zone_id         = var.dns.zone_id
  name            = var.dns.name
  type            = "CNAME"
  ttl             = 60
  records         = [each.value]
  set_identifier  = lower(each.key)
  health_check_id = each.key == "PRIMARY" ? aws_route53_health_check.primary[0].id : null

  failover_routing_policy {
    type = each.key
  }
}
