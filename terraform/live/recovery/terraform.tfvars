# An example: replace it with yours. No secret belongs here.
cost_center = "CC-1000"

operators = ["arn:aws:iam::111122223333:user/ada"]
