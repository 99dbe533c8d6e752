# AWS services without the internet (slides 4 and 11). S3 and DynamoDB are gateways, which cost
# nothing; the others are interfaces with an address in every zone.

#
# Each lets through only what concerns this account, so that whoever brings credentials of another
# one cannot carry data out by it.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id

  # The isolated subnets reach S3, where Redshift loads and unloads, and nothing else.
  gateways = {
    s3       = concat([aws_route_table.database.id], [for table in aws_route_table.private : table.id])
    dynamodb = [for table in aws_route_table.private : table.id]
  }

  within_account = {
    Sid       = "WhatIsOfThisAccount"
    Effect    = "Allow"
    Principal = "*"
    Action    = "*"
    Resource  = "*"
    Condition = { StringEquals = { "aws:ResourceAccount" = local.account } }
  }

  # Layers of images, of ECR's and of Kubernetes' own registry, and packages of the nodes are in
  # buckets of others. To read them carries nothing out.
  gateway_statements = {
    dynamodb = [local.within_account]
    s3 = [
      local.within_account,
      { Sid = "ReadOthers", Effect = "Allow", Principal = "*", Action = "s3:GetObject", Resource = "*" },
    ]
  }

  by_account = {
    Sid       = "WhoIsOfThisAccount"
    Effect    = "Allow"
    Principal = "*"
    Action    = "*"
    Resource  = "*"
    Condition = { StringEquals = { "aws:PrincipalAccount" = local.account } }
  }

  # A service account takes its role before it is anybody.
  interface_statements = {
    sts = [
      local.by_account,
      {
        Sid       = "ServiceAccountsTakeRoles"
        Effect    = "Allow"
        Principal = "*"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Resource  = "arn:${data.aws_partition.current.partition}:iam::${local.account}:role/*"
      },
    ]
  }
}

resource "aws_vpc_endpoint" "gateway" {
  for_each = local.gateways

  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${data.aws_region.current.region}.${each.key}"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = each.value
  policy            = jsonencode({ Version = "2012-10-17", Statement = local.gateway_statements[each.key] })

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.interface_endpoints

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${data.aws_region.current.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for subnet in aws_subnet.private : subnet.id]
  security_group_ids  = [aws_security_group.endpoints.id]
  policy              = jsonencode({ Version = "2012-10-17", Statement = lookup(local.interface_statements, each.key, [local.by_account]) })

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "Interface endpoints: HTTPS from within the VPC"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  security_group_id = aws_security_group.endpoints.id
  description       = "HTTPS from within the VPC"
  cidr_ipv4         = var.cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
