terraform {
  required_version = ">= 1.10.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.25.0, < 7.0.0"
    }
  }

  # The bucket is given at init: -backend-config=bucket=NAME (terraform/README.md). The lock is a
  # file beside the state, which S3 makes for one writer only; no table is needed.
  backend "s3" {
    key          = "development/terraform.tfstate"
    region       = "us-east-1"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = "us-east-1"

  # Chargeback and classification of everything (slide 13).
  default_tags {
    tags = {
      team                = "platform"
      cost-center         = var.cost_center
      environment         = "development"
      data-classification = "internal"
      managed-by          = "terraform"
    }
  }
}
