# Chargeback (slide 13): every resource has the tags team and cost-center by the provider's
# default tags, and the nodes of a team's own group have the team's; here they become columns of the
# bill, and each team has a budget.
#
# Deviation: AWS divides what is shared, the nodes that several teams' pods run on, in the cost and
# usage report only (split cost allocation, by namespace), not in budgets. A team's budget watches
# what has its cost centre; what its pods cost on shared nodes, Mooring says before they run, and the
# report at the end of this file afterwards.

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

# The monthly report per team (slide 13): AWS's cost and usage report, brought up to date each day, with
# the tags, and with shared nodes divided by namespace, which is {team}-{environment}. Dividing is
# switched on once by a person, in the billing preferences of the account that pays: no API has it.
resource "aws_bcmdataexports_export" "costs" {
  count = var.account_services ? 1 : 0

  export {
    name        = "${var.name}-costs"
    description = "What each team costs, hour by hour"

    data_query {
      query_statement = "SELECT ${join(", ", local.cost_columns)} FROM COST_AND_USAGE_REPORT"

      table_configurations = {
        COST_AND_USAGE_REPORT = {
          TIME_GRANULARITY                      = "HOURLY"
          INCLUDE_RESOURCES                     = "TRUE"
          INCLUDE_SPLIT_COST_ALLOCATION_DATA    = "TRUE"
          INCLUDE_MANUAL_DISCOUNT_COMPATIBILITY = "FALSE"
        }
      }
    }

    destination_configurations {
      s3_destination {
        s3_bucket = aws_s3_bucket.logs.id
        s3_prefix = "costs"
        s3_region = local.region

        s3_output_configurations {
          output_type = "CUSTOM"
          format      = "PARQUET"
          compression = "PARQUET"
          overwrite   = "OVERWRITE_REPORT"
        }
      }
    }

    refresh_cadence {
      frequency = "SYNCHRONOUS"
    }
  }

  depends_on = [aws_s3_bucket_policy.logs]
}

locals {
  cost_columns = [
    "bill_billing_period_start_date", "line_item_usage_start_date", "line_item_usage_account_id", "line_item_product_code",
    "line_item_usage_type", "line_item_resource_id", "line_item_line_item_type", "line_item_unblended_cost", "resource_tags",
    "split_line_item_parent_resource_id", "split_line_item_split_cost", "split_line_item_unused_cost",
  ]
}
