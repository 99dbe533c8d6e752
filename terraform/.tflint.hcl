# All rules of tflint for Terraform itself. Its rules for AWS are a plugin that no package registry has.
plugin "terraform" {
  enabled = true
  preset  = "all"
}

# Files are named for what is in them, and a module has a main.tf only where one thing is the main one.
rule "terraform_standard_module_structure" {
  enabled = false
}
