# Chargeback (slide 13): every resource has the tags team and cost-center by the provider's
# default tags, and the nodes of a team's own group have the team's; here they become columns of the
# bill, and each team has a budget.
#
# Deviation: AWS divides what is shared, the nodes that several teams' pods run on, in the cost and
# usage report only (split cost allocation, by namespace), not in budgets. A team's budget watches
# what has its cost centre; what its pods cost on shared nodes, Mooring says before they run.

# AWS knows a tag about a day after a resource has got it, and refuses to activate it before.
resource "aws_ce_cost_allocation_tag" "this" {
  for_each = var.activate_cost_tags ? toset(["team", "cost-center", "environment", "data-classification"]) : toset([])

  tag_key = each.key
  status  = "Active"
}

resource "aws_budgets_budget" "team" {
  for_each = var.teams

  name         = "${var.name}-${each.key}"
  budget_type  = "COST"
  limit_amount = tostring(each.value.monthly_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:cost-center$%s", each.value.cost_center)]
  }

  notification {
    comparison_operator        = "GREATER_THAN"
    notification_type          = "FORECASTED"
    threshold                  = 80
    threshold_type             = "PERCENTAGE"
    subscriber_email_addresses = each.value.emails
  }

  notification {
    comparison_operator        = "GREATER_THAN"
    notification_type          = "ACTUAL"
    threshold                  = 100
    threshold_type             = "PERCENTAGE"
    subscriber_email_addresses = each.value.emails
  }
}
