mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { region = "us-east-1" }
  }
}

# A mock gives all resources of a type the same id.
override_resource {
  target = aws_route_table.database
  values = { id = "rtb-database" }
}

variables {
  name         = "mlops-test"
  cluster_name = "mlops-test"
  zones        = ["us-east-1a", "us-east-1b", "us-east-1c"]
  logs_key_arn = "arn:aws:kms:us-east-1:111122223333:key/logs"
}

run "the_network_of_slide_4" {
  assert {
    condition     = aws_vpc.this.cidr_block == "10.0.0.0/16"
    error_message = "The VPC is not 10.0.0.0/16."
  }

  assert {
    condition = output.subnet_cidrs["us-east-1a"] == {
      public   = "10.0.0.0/20"
      private  = "10.0.16.0/20"
      database = "10.0.32.0/20"
    }
    error_message = "The subnets of the first zone are not those of the slide."
  }

  assert {
    condition     = length(distinct(flatten([for zone in values(output.subnet_cidrs) : values(zone)]))) == 9 && output.subnet_cidrs["us-east-1c"].database == "10.0.128.0/20"
    error_message = "Three zones have not nine subnets of their own."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && alltrue([for zone, route in aws_route.nat : route.nat_gateway_id == aws_nat_gateway.this[zone].id])
    error_message = "Not every zone leaves by its own NAT gateway."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.public : !subnet.map_public_ip_on_launch])
    error_message = "Machines in public subnets get public addresses by themselves."
  }

  assert {
    condition     = toset(keys(aws_vpc_endpoint.gateway)) == toset(["dynamodb", "s3"]) && contains(keys(aws_vpc_endpoint.interface), "ecr.dkr")
    error_message = "An endpoint of the slide is missing."
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_cloudwatch_log_group.flow.retention_in_days == 2557 && aws_cloudwatch_log_group.flow.kms_key_id == var.logs_key_arn
    error_message = "Flow logs are not of all traffic, encrypted, for seven years."
  }

  assert {
    condition = alltrue([
      for name, rule in aws_network_acl_rule.this : rule.cidr_block == "10.0.0.0/16" || rule.rule_action == "deny" || rule.from_port >= 1024
      if startswith(name, "database-ingress-")
    ])
    error_message = "The database subnets let in more than their clients and answers."
  }

  assert {
    condition = alltrue([for port in [5432, 5439, 6379] : alltrue([
      for rule in aws_network_acl_rule.this : rule.rule_number < 300 && rule.cidr_block == "0.0.0.0/0"
      if rule.rule_action == "deny" && !rule.egress && rule.from_port == port
    ]) && length([for name, rule in aws_network_acl_rule.this : name if startswith(name, "database-ingress-") && rule.rule_action == "deny" && rule.from_port == port]) == 1])
    error_message = "From outside of the VPC a database can be connected to, as if it were an answer."
  }

  assert {
    condition     = alltrue([for acl in keys(aws_network_acl.this) : alltrue([for direction in ["ingress", "egress"] : length([for name in keys(aws_network_acl_rule.this) : name if startswith(name, "${acl}-${direction}-")]) <= 20])])
    error_message = "An ACL has more rules than AWS's default quota of 20."
  }
}

run "nothing_is_carried_out_by_an_endpoint" {
  assert {
    condition = alltrue(flatten([for endpoint in concat(values(aws_vpc_endpoint.gateway), values(aws_vpc_endpoint.interface)) : [
      for statement in jsondecode(endpoint.policy).Statement :
      contains(["111122223333"], try(statement.Condition.StringEquals["aws:ResourceAccount"], statement.Condition.StringEquals["aws:PrincipalAccount"], "none")) || contains(["s3:GetObject", "sts:AssumeRoleWithWebIdentity"], statement.Action)
    ]]))
    error_message = "An endpoint serves another account than this."
  }

  assert {
    condition     = [for statement in jsondecode(aws_vpc_endpoint.gateway["s3"].policy).Statement : statement.Action if !can(statement.Condition)] == ["s3:GetObject"]
    error_message = "More than reading is possible in buckets of others, or images cannot be pulled."
  }

  # Without this no service account gets its role: who asks has no account yet.
  assert {
    condition     = one([for statement in jsondecode(aws_vpc_endpoint.interface["sts"].policy).Statement : statement.Resource if statement.Action == "sts:AssumeRoleWithWebIdentity" && !can(statement.Condition)]) == "arn:aws:iam::111122223333:role/*"
    error_message = "Service accounts cannot take their roles."
  }

  assert {
    condition     = contains(aws_vpc_endpoint.gateway["s3"].route_table_ids, "rtb-database") && !contains(aws_vpc_endpoint.gateway["dynamodb"].route_table_ids, "rtb-database")
    error_message = "Databases reach something else than S3."
  }
}

run "flow_logs_are_written_for_this_account_only" {
  assert {
    condition     = jsondecode(aws_iam_role.flow.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "111122223333"
    error_message = "Another account's flow logs can be written with this role."
  }

  assert {
    condition     = toset(flatten([for statement in jsondecode(aws_iam_role_policy.flow.policy).Statement : statement.Action])) == toset(["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams", "logs:DescribeLogGroups"])
    error_message = "Flow logs cannot find or write their group, or may do more."
  }
}

run "four_zones_have_twelve_subnets" {
  command = plan

  variables {
    zones = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"]
  }

  assert {
    condition     = output.subnet_cidrs["us-east-1d"].database == "10.0.176.0/20" && output.subnet_cidrs["us-east-1a"].public == "10.0.0.0/20"
    error_message = "A fourth zone changes the subnets of the others, or has not its own."
  }
}

run "operators_reach_the_api_server_from_their_own_network" {
  command = plan

  variables {
    client_cidrs = ["10.100.0.0/24", "192.168.4.0/22"]
  }

  assert {
    condition     = { for rule in aws_network_acl_rule.this : rule.cidr_block => join(" ", [rule.protocol, rule.rule_action, rule.from_port, rule.to_port]) if contains(var.client_cidrs, rule.cidr_block) } == { "10.100.0.0/24" = "tcp allow 443 443", "192.168.4.0/22" = "tcp allow 443 443" }
    error_message = "The network ACL keeps operators from the API server that the cluster's group lets them to, or lets in more."
  }

  assert {
    condition     = length([for name, rule in aws_network_acl_rule.this : name if contains(var.client_cidrs, rule.cidr_block) && !startswith(name, "private-ingress-")]) == 0
    error_message = "Operators' networks get into other subnets than those of the API server."
  }
}

run "clients_from_the_internet_are_refused" {
  command = plan

  variables {
    client_cidrs = ["203.0.113.0/24"]
  }

  expect_failures = [var.client_cidrs]
}

run "more_clients_than_an_acl_has_rules_for_are_refused" {
  command = plan

  variables {
    client_cidrs = [for i in range(16) : "10.100.${i}.0/24"]
  }

  expect_failures = [var.client_cidrs]
}

run "two_zones_are_refused" {
  command = plan

  variables {
    zones = ["us-east-1a", "us-east-1b"]
  }

  expect_failures = [var.zones]
}

run "one_zone_thrice_is_refused" {
  command = plan

  variables {
    zones = ["us-east-1a", "us-east-1a", "us-east-1a"]
  }

  expect_failures = [var.zones]
}

run "a_network_that_is_too_small_is_refused" {
  command = plan

  variables {
    cidr = "10.0.0.0/20"
  }

  expect_failures = [var.cidr]
}

run "a_network_with_bits_after_its_prefix_is_refused" {
  command = plan

  variables {
    cidr = "10.0.1.0/16"
  }

  expect_failures = [var.cidr]
}

run "a_public_network_is_refused" {
  command = plan

  variables {
    cidr = "52.0.0.0/16"
  }

  expect_failures = [var.cidr]
}

run "a_network_that_contains_another_is_refused" {
  command = plan

  variables {
    reserved_cidrs = ["10.0.128.0/24"]
  }

  expect_failures = [var.cidr]
}

run "a_network_within_another_is_refused" {
  command = plan

  variables {
    reserved_cidrs = ["192.168.0.0/16", "10.0.0.0/8"]
  }

  expect_failures = [var.cidr]
}

run "a_neighbour_is_allowed" {
  command = plan

  variables {
    reserved_cidrs = ["10.1.0.0/16", "172.16.0.0/12"]
  }
}

run "flow_logs_for_six_years_are_refused" {
  command = plan

  variables {
    flow_log_retention_days = 2192
  }

  expect_failures = [var.flow_log_retention_days]
}

run "flow_logs_without_a_key_are_refused" {
  command = plan

  variables {
    logs_key_arn = ""
  }

  expect_failures = [var.logs_key_arn]
}

run "a_network_without_the_registry_s_endpoint_is_refused" {
  command = plan

  variables {
    interface_endpoints = ["sts", "logs", "secretsmanager"]
  }

  expect_failures = [var.interface_endpoints]
}

run "a_name_with_capitals_is_refused" {
  command = plan

  variables {
    name = "MLOps"
  }

  expect_failures = [var.name]
}

run "six_zones_are_refused" {
  command = plan

  variables {
    zones = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1e", "us-east-1f"]
  }

  expect_failures = [var.zones]
}

run "a_reserved_network_that_is_none_is_refused" {
  command = plan

  variables {
    reserved_cidrs = ["10.1.0.0"]
  }

  expect_failures = [var.reserved_cidrs]
}
