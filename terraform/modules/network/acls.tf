# Network ACLs (slide 4) keep no state, so the answers to what a subnet asks must be let in by
# the ports they come to. Rules are tables: number → who, which ports.

locals {
  ephemeral      = { from = 1024, to = 65535 } # NAT gateways use all of them.
  database_ports = [5432, 5439, 6379]          # PostgreSQL, Redshift, Redis.

  acls = {
    public = {
      subnets = [for subnet in aws_subnet.public : subnet.id]
      ingress = {
        100 = { cidr = "0.0.0.0/0", protocol = "tcp", from = 443, to = 443 }
        110 = { cidr = "0.0.0.0/0", protocol = "tcp", from = 80, to = 80 } # Load balancers redirect to 443.
        # Before the answers: remote desktops and databases are no answers.
        120 = { cidr = var.cidr, protocol = "-1", from = 0, to = 0 }
        130 = { cidr = "0.0.0.0/0", protocol = "tcp", from = 3389, to = 3389, action = "deny" }
        140 = { cidr = "0.0.0.0/0", protocol = "tcp", from = local.ephemeral.from, to = local.ephemeral.to }
        150 = { cidr = "0.0.0.0/0", protocol = "udp", from = local.ephemeral.from, to = local.ephemeral.to }
      }
      egress = { 100 = { cidr = "0.0.0.0/0", protocol = "-1", from = 0, to = 0 } }
    }
    private = {
      subnets = [for subnet in aws_subnet.private : subnet.id]
      ingress = merge(
        {
          100 = { cidr = var.cidr, protocol = "-1", from = 0, to = 0 }
          110 = { cidr = "0.0.0.0/0", protocol = "tcp", from = 3389, to = 3389, action = "deny" }
          120 = { cidr = "0.0.0.0/0", protocol = "tcp", from = local.ephemeral.from, to = local.ephemeral.to }
          130 = { cidr = "0.0.0.0/0", protocol = "udp", from = local.ephemeral.from, to = local.ephemeral.to }
        },
        # The API server's addresses are in these subnets; its security group says the same.
        { for i, cidr in var.client_cidrs : 200 + 10 * i => { cidr = cidr, protocol = "tcp", from = 443, to = 443 } },
      )
      egress = { 100 = { cidr = "0.0.0.0/0", protocol = "-1", from = 0, to = 0 } }
    }
    # Only the VPC asks, and only for the three databases; the databases' nodes, which copy to each
    # other, among them. S3, which Redshift loads from through the gateway endpoint, has public
    # addresses that an ACL cannot name: there is no other route out of these subnets. From there
    # come answers, and never a connection to a database.
    database = {
      subnets = [for subnet in aws_subnet.database : subnet.id]
      ingress = merge(
        { for i, port in local.database_ports : 100 + 10 * i => { cidr = var.cidr, protocol = "tcp", from = port, to = port } },
        { for i, port in concat(local.database_ports, [3389]) : 200 + 10 * i => { cidr = "0.0.0.0/0", protocol = "tcp", from = port, to = port, action = "deny" } },
        { 300 = { cidr = "0.0.0.0/0", protocol = "tcp", from = local.ephemeral.from, to = local.ephemeral.to } },
      )
      egress = {
        100 = { cidr = var.cidr, protocol = "tcp", from = local.ephemeral.from, to = local.ephemeral.to }
        110 = { cidr = "0.0.0.0/0", protocol = "tcp", from = 443, to = 443 }
      }
    }
  }

  acl_rules = merge([
    for name, acl in local.acls : merge([
      for direction in ["ingress", "egress"] : {
        for number, rule in acl[direction] : "${name}-${direction}-${number}" => merge(
          { action = "allow" }, rule, { acl = name, egress = direction == "egress", number = number },
        )
      }
    ]...)
  ]...)
}

resource "aws_network_acl" "this" {
  for_each = local.acls

  vpc_id     = aws_vpc.this.id
  subnet_ids = each.value.subnets

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_network_acl_rule" "this" {
  for_each = local.acl_rules

  network_acl_id = aws_network_acl.this[each.value.acl].id
  egress         = each.value.egress
  rule_number    = each.value.number
  rule_action    = each.value.action
  protocol       = each.value.protocol
  cidr_block     = each.value.cidr
  from_port      = each.value.from
  to_port        = each.value.to
}
