output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Addresses of the VPC."
  value       = aws_vpc.this.cidr_block
}

output "public_subnet_ids" {
  description = "Public subnets, one for each zone, for load balancers."
  value       = [for zone in var.zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "Private subnets, one for each zone, for nodes and pods."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
}

output "database_subnet_ids" {
  description = "Isolated subnets, one for each zone, for databases."
  value       = [for zone in var.zones : aws_subnet.database[zone].id]
}

output "subnet_cidrs" {
  description = "Addresses of the subnets, by zone and kind."
  value       = local.zones
}
