# Images: a tag never moves, every push is scanned, and GitHub's CI pushes without a stored key.

resource "aws_ecr_repository" "this" {
  for_each = var.repositories

  name                 = "${var.name}/${each.key}"
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.secrets_key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = var.repositories

  repository = aws_ecr_repository.this[each.key].name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Layers that no tag names"
      selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 14 }
      action       = { type = "expire" }
    }]
  })
}

resource "aws_ecr_replication_configuration" "this" {
  count = var.image_replication_region == "" ? 0 : 1

  replication_configuration {
    rule {
      destination {
        region      = var.image_replication_region
        registry_id = data.aws_caller_identity.current.account_id
      }

      repository_filter {
        filter      = "${var.name}/"
        filter_type = "PREFIX_MATCH"
      }
    }
  }
}

# A copy is in a repository that ECR makes itself, where tags could move if nothing said otherwise.
# It is encrypted with AES-256 by ECR's own key: one of ours has to be in the second region, and would
# need a role for ECR to make grants by.
resource "aws_ecr_repository_creation_template" "copies" {
  count  = var.image_replication_region == "" ? 0 : 1
  region = var.image_replication_region

  prefix               = var.name
  description          = "Copies of the images of ${var.name}"
  applied_for          = ["REPLICATION"]
  image_tag_mutability = "IMMUTABLE"

  encryption_configuration {
    encryption_type = "AES256"
  }
}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.github_repository == "" ? 0 : 1

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "push" {
  count = var.github_repository == "" ? 0 : 1

  name = "${var.name}-push-images"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.github[0].arn }
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:sub" = "repo:${var.github_repository}:ref:refs/heads/main"
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "push" {
  #checkov:skip=CKV_AWS_355:ecr:GetAuthorizationToken knows no resources; the statement has nothing else.
  count = var.github_repository == "" ? 0 : 1

  name = "push"
  role = aws_iam_role.push[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = "*"
      },
      {
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage", "ecr:BatchGetImage"]
        Resource = [for repository in aws_ecr_repository.this : repository.arn]
      },
    ]
  })
}
