# What an account has once: threat detection, a record of every setting with the rules it is
# held to, and rules for people (slide 11, layers 2, 4 and 5).

resource "aws_guardduty_detector" "this" {
  #checkov:skip=CKV2_AWS_3:The detector of this account. Whoever runs an AWS organization enrolls accounts at its delegated administrator.
  count = var.account_services ? 1 : 0

  enable                       = true
  finding_publishing_frequency = "FIFTEEN_MINUTES"
}

resource "aws_guardduty_detector_feature" "this" {
  for_each = var.account_services ? toset(["S3_DATA_EVENTS", "EKS_AUDIT_LOGS", "EBS_MALWARE_PROTECTION", "RDS_LOGIN_EVENTS"]) : toset([])

  detector_id = aws_guardduty_detector.this[0].id
  name        = each.key
  status      = "ENABLED"
}

# What nobody has encrypted or closed is so all the same (slide 11, layers 1 and 3).
resource "aws_ebs_encryption_by_default" "this" {
  count = var.account_services ? 1 : 0

  enabled = true
}

resource "aws_s3_account_public_access_block" "this" {
  count = var.account_services ? 1 : 0

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_iam_service_linked_role" "config" {
  count = var.account_services ? 1 : 0

  aws_service_name = "config.amazonaws.com"
}

resource "aws_config_configuration_recorder" "this" {
  count = var.account_services ? 1 : 0

  name     = var.name
  role_arn = aws_iam_service_linked_role.config[0].arn

  recording_group {
    all_supported                 = true
    include_global_resource_types = true
  }
}

resource "aws_config_delivery_channel" "this" {
  count = var.account_services ? 1 : 0

  name           = var.name
  s3_bucket_name = aws_s3_bucket.logs.id
  s3_key_prefix  = "config"
  s3_kms_key_arn = var.key_arns.logs

  snapshot_delivery_properties {
    delivery_frequency = "TwentyFour_Hours"
  }

  depends_on = [aws_config_configuration_recorder.this, aws_s3_bucket_policy.logs]
}

resource "aws_config_configuration_recorder_status" "this" {
  count = var.account_services ? 1 : 0

  name       = aws_config_configuration_recorder.this[0].name
  is_enabled = true

  depends_on = [aws_config_delivery_channel.this]
}

# What this code sets, watched for changes made by hand. The names are AWS's own rules.
locals {
  config_rules = {
    s3-bucket-server-side-encryption-enabled = "S3_BUCKET_SERVER_SIDE_ENCRYPTION_ENABLED"
    s3-bucket-public-read-prohibited         = "S3_BUCKET_PUBLIC_READ_PROHIBITED"
    s3-bucket-public-write-prohibited        = "S3_BUCKET_PUBLIC_WRITE_PROHIBITED"
    s3-bucket-ssl-requests-only              = "S3_BUCKET_SSL_REQUESTS_ONLY"
    s3-bucket-versioning-enabled             = "S3_BUCKET_VERSIONING_ENABLED"
    encrypted-volumes                        = "ENCRYPTED_VOLUMES"
    rds-storage-encrypted                    = "RDS_STORAGE_ENCRYPTED"
    rds-multi-az-support                     = "RDS_MULTI_AZ_SUPPORT"
    redshift-require-tls-ssl                 = "REDSHIFT_REQUIRE_TLS_SSL"
    dynamodb-pitr-enabled                    = "DYNAMODB_PITR_ENABLED"
    cmk-backing-key-rotation-enabled         = "CMK_BACKING_KEY_ROTATION_ENABLED"
    cloud-trail-enabled                      = "CLOUD_TRAIL_ENABLED"
    guardduty-enabled-centralized            = "GUARDDUTY_ENABLED_CENTRALIZED"
    vpc-flow-logs-enabled                    = "VPC_FLOW_LOGS_ENABLED"
    eks-secrets-encrypted                    = "EKS_SECRETS_ENCRYPTED"
    eks-endpoint-no-public-access            = "EKS_ENDPOINT_NO_PUBLIC_ACCESS"
    iam-user-mfa-enabled                     = "IAM_USER_MFA_ENABLED"
    root-account-mfa-enabled                 = "ROOT_ACCOUNT_MFA_ENABLED"
  }
}

# Chargeback (slide 13: tag all resources with team and cost center).
resource "aws_config_config_rule" "tags" {
  count = var.account_services ? 1 : 0

  name             = "${var.name}-required-tags"
  input_parameters = jsonencode({ tag1Key = "team", tag2Key = "cost-center", tag3Key = "data-classification" })

  source {
    owner             = "AWS"
    source_identifier = "REQUIRED_TAGS"
  }

  depends_on = [aws_config_configuration_recorder.this]
}

resource "aws_config_config_rule" "this" {
  for_each = { for name, rule in local.config_rules : name => rule if var.account_services && !contains(var.config_rules_off, name) }

  name = "${var.name}-${each.key}"

  source {
    owner             = "AWS"
    source_identifier = each.value
  }

  depends_on = [aws_config_configuration_recorder.this]
}

resource "aws_iam_account_password_policy" "this" {
  count = var.account_services ? 1 : 0

  minimum_password_length        = 14
  require_lowercase_characters   = true
  require_uppercase_characters   = true
  require_numbers                = true
  require_symbols                = true
  allow_users_to_change_password = true
  max_password_age               = 90
  password_reuse_prevention      = 24
  hard_expiry                    = false
}

# Slide 11, "MFA required for all human access". A policy for the groups of IAM users: without a
# second factor nothing works but to set one up. It is not for roles, whose sessions have no second
# factor in AWS's eyes; where people come by single sign-on, that asks for it.
#
# Deviation from slide 11 ("15-minute session timeout"): AWS has no session below an hour for
# roles and a quarter of an hour for consoles only at the identity provider. It is set there,
# and at the OAuth2 proxy before MLflow and Grafana.
resource "aws_iam_policy" "mfa" {
  #checkov:skip=CKV_AWS_355:A denial of everything has to name everything.
  #checkov:skip=CKV_AWS_289:It denies and grants nothing.
  #checkov:skip=CKV_AWS_290:It denies and grants nothing.
  count = var.account_services ? 1 : 0

  name        = "${var.name}-require-mfa"
  description = "Denies people everything but to set up a second factor until they have used it"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "NothingWithoutSecondFactor"
      Effect    = "Deny"
      NotAction = ["iam:CreateVirtualMFADevice", "iam:EnableMFADevice", "iam:GetMFADevice", "iam:ListMFADevices", "iam:ListVirtualMFADevices", "iam:ResyncMFADevice", "iam:GetUser", "iam:ChangePassword", "sts:GetSessionToken"]
      Resource  = "*"
      Condition = { BoolIfExists = { "aws:MultiFactorAuthPresent" = "false" } }
    }]
  })
}

# The group by which the policy is everybody's: put each IAM user in it (terraform/README.md).
resource "aws_iam_group" "people" {
  count = var.account_services ? 1 : 0

  name = "${var.name}-people"
}

resource "aws_iam_group_policy_attachment" "people" {
  count = var.account_services ? 1 : 0

  group      = aws_iam_group.people[0].name
  policy_arn = aws_iam_policy.mfa[0].arn
}
