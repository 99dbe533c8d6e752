# A variable that nothing reads: tflint has to say so, and Terraform does not.
terraform {
  required_version = ">= 1.10.0"
}

variable "read_by_nobody" {
  description = "Read by nobody."
  type        = string
}
