# Velero's role in a cluster: it backs up the cluster's objects and, by file, its volumes into the
# bucket of the second region, every six hours (slide 15); the schedule is in Velero's own
# configuration. Disk snapshots would stay in the first region, so it has no right to make any. The
# cluster that is made when the first region is lost restores by a role of the same kind.
#
# Volumes of health data are to be left out (velero.io/exclude-from-backup): the bucket shares its key
# with other data. Health data that has to last is in its own bucket, which is copied.

resource "aws_iam_role" "velero" {
  name = "${var.name}-velero"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = var.oidc.provider_arn }
      Condition = {
        StringEquals = {
          "${var.oidc.issuer}:sub" = "system:serviceaccount:velero:velero"
          "${var.oidc.issuer}:aud" = "sts.amazonaws.com"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "velero" {
  name = "backup"
  role = aws_iam_role.velero.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        Resource = ["${var.bucket.arn}/*"]
      },
      {
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [var.bucket.arn]
      },
      {
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource = [var.bucket.key_arn]
      },
    ]
  })
}
