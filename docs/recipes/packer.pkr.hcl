packer {
  required_plugins {
    amazon = {
      version = ">= 1.2.0"
      source  = "github.com/hashicorp/amazon"
    }
  }
}

variable "endpoint" {
  default = env("AWS_ENDPOINT_URL")
}
variable "name" {
  default = ""
}
variable "source" {
  default = "tiny-linux-*"
}
variable "user" {
  default = "root"
}
variable "type" {
  default = "t3.nano"
}

locals {
  stamp = formatdate("YYYYMMDD-hhmmss", timestamp())
}

source "amazon-ebs" "baked" {
  custom_endpoint_ec2     = var.endpoint
  region                  = "us-east-1"
  skip_region_validation  = true
  skip_metadata_api_check = true

  source_ami_filter {
    filters     = { name = var.source }
    owners      = ["amazon"]
    most_recent = true
  }
  instance_type = var.type
  ssh_username  = var.user
  ssh_timeout   = "10m"

  ami_name = var.name != "" ? var.name : "baked-${local.stamp}"
  tags     = { "Made by" = "Packer" }
  run_tags = { "Made by" = "Packer" }
}

build {
  sources = ["source.amazon-ebs.baked"]
  provisioner "shell" {
    inline          = ["echo baked by Packer >/etc/motd"]
    execute_command = "$(command -v sudo) env {{ .Vars }} sh {{ .Path }}" # the tiny Linux has no sudo: its user is root
  }
}
