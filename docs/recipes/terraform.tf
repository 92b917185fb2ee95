# An image's life: an instance with a data disk, an image of it, shared with a friend's account and copied to another region, an
# image registered from a snapshot, and a launch template. Tried with Terraform 0.11.15 and version 1.60.0 of the AWS provider:
#     eval "$(kiln env)"; export TF_VAR_endpoint=$AWS_ENDPOINT_URL TF_VAR_access_key=$AWS_ACCESS_KEY_ID TF_VAR_secret_key=$AWS_SECRET_ACCESS_KEY
#     terraform init -plugin-dir=build/terraform docs/recipes
#     terraform apply -var friend=123456789012 docs/recipes
variable "endpoint" {
  default = "http://127.0.0.1:4566"
}

variable "access_key" {}

variable "secret_key" {}

variable "friend" {}

variable "purpose" {
  default = "shown"
}

variable "gib" {
  default = "1"
}

provider "aws" {
  region                  = "us-east-1"
  access_key              = "${var.access_key}"
  secret_key              = "${var.secret_key}"
  skip_region_validation  = true
  skip_metadata_api_check = true

  endpoints {
    ec2 = "${var.endpoint}"
    iam = "${var.endpoint}"
    sts = "${var.endpoint}"
  }
}

provider "aws" {
  alias                   = "there"
  region                  = "eu-west-1"
  access_key              = "${var.access_key}"
  secret_key              = "${var.secret_key}"
  skip_region_validation  = true
  skip_metadata_api_check = true

  endpoints {
    ec2 = "${var.endpoint}"
    iam = "${var.endpoint}"
    sts = "${var.endpoint}"
  }
}

data "aws_ami" "tiny" {
  owners      = ["amazon"]
  most_recent = true

  filter {
    name   = "name"
    values = ["tiny-linux-*"]
  }
}

data "aws_availability_zones" "here" {}

resource "aws_key_pair" "me" {
  key_name   = "me"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPlqU9Rqmgn9o3ScVcm0FN4ZHlOvOMuzh3ZTbEIpT5HR me"
}

resource "aws_security_group" "ssh" {
  name        = "ssh"
  description = "Logins from anywhere"

  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_iam_role" "machine" {
  name = "machine"

  assume_role_policy = <<EOF
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
EOF
}

resource "aws_iam_instance_profile" "machine" {
  name = "machine"
  role = "${aws_iam_role.machine.name}"
}

resource "aws_instance" "one" {
  ami                    = "${data.aws_ami.tiny.id}"
  instance_type          = "t3.nano"
  availability_zone      = "${data.aws_availability_zones.here.names[0]}"
  key_name               = "${aws_key_pair.me.key_name}"
  vpc_security_group_ids = ["${aws_security_group.ssh.id}"]
  iam_instance_profile   = "${aws_iam_instance_profile.machine.name}"
  user_data              = "#!/bin/sh\necho told >/etc/motd\n"

  root_block_device {
    volume_type           = "gp3"
    delete_on_termination = true
  }

  tags = {
    Name    = "one"
    Purpose = "${var.purpose}"
  }
}

resource "aws_ebs_volume" "data" {
  availability_zone = "${aws_instance.one.availability_zone}"
  size              = "${var.gib}"
  type              = "gp2"

  tags = {
    Name = "data"
  }
}

resource "aws_volume_attachment" "data" {
  device_name = "/dev/sdf"
  volume_id   = "${aws_ebs_volume.data.id}"
  instance_id = "${aws_instance.one.id}"
}

resource "aws_ebs_snapshot" "data" {
  volume_id   = "${aws_ebs_volume.data.id}"
  description = "of the data disk"

  tags = {
    Name = "data"
  }
}

resource "aws_ebs_snapshot_copy" "there" {
  provider           = "aws.there"
  source_region      = "us-east-1"
  source_snapshot_id = "${aws_ebs_snapshot.data.id}"
}

resource "aws_ami" "registered" {
  name                = "registered"
  description         = "${var.purpose}"
  virtualization_type = "hvm"
  ena_support         = true
  root_device_name    = "/dev/xvda"

  ebs_block_device {
    device_name = "/dev/xvda"
    snapshot_id = "${aws_ebs_snapshot.data.id}"
    volume_size = 2
    volume_type = "gp2"
  }
}

resource "aws_ami_from_instance" "baked" {
  name               = "baked"
  source_instance_id = "${aws_instance.one.id}"
  depends_on         = ["aws_volume_attachment.data"]
}

resource "aws_ami_launch_permission" "friend" {
  image_id   = "${aws_ami_from_instance.baked.id}"
  account_id = "${var.friend}"
}

resource "aws_ami_copy" "there" {
  provider          = "aws.there"
  name              = "baked"
  source_ami_region = "us-east-1"
  source_ami_id     = "${aws_ami_from_instance.baked.id}"
}

resource "aws_launch_template" "web" {
  name                   = "web"
  image_id               = "${aws_ami_from_instance.baked.id}"
  instance_type          = "t3.nano"
  key_name               = "${aws_key_pair.me.key_name}"
  vpc_security_group_ids = ["${aws_security_group.ssh.id}"]

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_size = 4
    }
  }

  tag_specifications {
    resource_type = "instance"

    tags = {
      Name = "web"
    }
  }
}

output "baked" {
  value = "${aws_ami_from_instance.baked.id}"
}

output "there" {
  value = "${aws_ami_copy.there.id}"
}
