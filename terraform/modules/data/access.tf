# Who may connect to which database: the clients given, on the database's port, and nobody else.

locals {
  ports = { postgres = 5432, redshift = 5439, redis = 6379 }

  openings = merge([
    for database, port in local.ports : {
      for client, group in var.client_security_group_ids : "${database}-${client}" => { database = database, port = port, group = group }
    }
  ]...)
}

resource "aws_security_group" "database" {
  for_each = local.ports

  name        = "${var.name}-${each.key}"
  description = "${each.key}: port ${each.value} from its clients"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each = local.openings

  security_group_id            = aws_security_group.database[each.value.database].id
  referenced_security_group_id = each.value.group
  description                  = "From ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

# Redshift loads from S3 and unloads to it, by the gateway endpoint.
resource "aws_vpc_security_group_egress_rule" "redshift" {
  security_group_id = aws_security_group.database["redshift"].id
  description       = "S3"
  prefix_list_id    = data.aws_prefix_list.s3.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

data "aws_prefix_list" "s3" {
  name = "com.amazonaws.${data.aws_region.current.region}.s3"
}
