# Who is told: a threat that GuardDuty sees, and a setting that no longer holds to AWS Config's rules
# (slide 11, layers 4 and 5).

locals {
  alerts = {
    threats  = jsonencode({ source = ["aws.guardduty"], detail-type = ["GuardDuty Finding"], detail = { severity = [{ numeric = [">=", 4] }] } })
    settings = jsonencode({ source = ["aws.config"], detail-type = ["Config Rules Compliance Change"], detail = { newEvaluationResult = { complianceType = ["NON_COMPLIANT"] } } })
  }
}

resource "aws_sns_topic" "alerts" {
  name              = "${var.name}-alerts"
  kms_master_key_id = var.key_arns.logs
}

resource "aws_sns_topic_policy" "alerts" {
  arn = aws_sns_topic.alerts.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      # EventBridge gives topics nothing that a condition could hold, so one here would let no
      # alert through.
      Sid       = "RulesPublish"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.alerts.arn
    }]
  })
}

# Each address gets a mail with a link that confirms it.
resource "aws_sns_topic_subscription" "alerts" {
  for_each = var.alert_emails

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.key
}

resource "aws_cloudwatch_event_rule" "alerts" {
  for_each = var.account_services ? local.alerts : {}

  name          = "${var.name}-${each.key}"
  event_pattern = each.value
}

resource "aws_cloudwatch_event_target" "alerts" {
  for_each = aws_cloudwatch_event_rule.alerts

  rule = each.value.name
  arn  = aws_sns_topic.alerts.arn
}
