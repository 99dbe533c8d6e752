# Model servers download their model, and nothing more: one role for each bucket, so that what
# serves health data reads no other data and nothing else reads health data (slide 11). Where data
# lies beside the models, the role reads the models alone. A namespace of health data ends as others
# do: what serves from there is kept from the role of other models by name.

resource "aws_iam_role" "serving" {
  for_each = var.model_buckets

  name = "${var.name}-serving-${each.key}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = var.oidc.provider_arn }
      Condition = merge(
        {
          StringLike   = { "${var.oidc.issuer}:sub" = [for account in each.value.service_accounts : "system:serviceaccount:${account}"] }
          StringEquals = { "${var.oidc.issuer}:aud" = "sts.amazonaws.com" }
        },
        length(each.value.except) == 0 ? {} : {
          StringNotLike = { "${var.oidc.issuer}:sub" = [for account in each.value.except : "system:serviceaccount:${account}"] }
        },
      )
    }]
  })
}

resource "aws_iam_role_policy" "serving" {
  for_each = var.model_buckets

  name = "read-models"
  role = aws_iam_role.serving[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${each.value.arn}/${each.value.prefix}*"]
      },
      {
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = [each.value.arn]
        Condition = { StringLike = { "s3:prefix" = "${each.value.prefix}*" } }
      },
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [each.value.key_arn]
      },
    ]
  })
}
