# says: retention_years must be a whole number of at least 7 (slide 12: 7-year retention, immutable).
mock_provider "aws" {}

variables {
  name         = "mlops-test"
  key_arns     = { audit = "arn:aws:kms:us-east-1:111122223333:key/audit", logs = "arn:aws:kms:us-east-1:111122223333:key/logs" }
  alert_emails = ["sre@example.com"]
  teams        = { data-science = { cost_center = "CC-1", monthly_usd = 19000, emails = ["a@example.com"] } }
}

run "refused" {
  command = plan

  variables {
    retention_years = 6
  }
}
