# An example: replace it with yours. No secret belongs here.
cost_center = "CC-1000"

operators = ["arn:aws:iam::111122223333:user/ada"]

alert_emails = ["platform-sre@example.com"]

teams = {
  data-science = { cost_center = "CC-2001", monthly_usd = 19000, emails = ["data-science-leads@example.com"] }
  clinical     = { cost_center = "CC-2002", monthly_usd = 12000, emails = ["clinical-leads@example.com"] }
}
