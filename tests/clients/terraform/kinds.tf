# Resources and data sources of all kinds that concern images, with what may be said of them. tests/e2e/terraform.py applies it
# twice, the second time with another purpose.
variable "endpoint" {}

variable "access_key" {}

variable "secret_key" {}

variable "image" {}

variable "snapshot" {}

variable "friend" {}

variable "purpose" {
  default = "shown"
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

data "aws_ami" "base" {
  owners      = ["self"]
  most_recent = true

  filter {
    name   = "image-id"
    values = ["${var.image}"]
  }
}

data "aws_ami_ids" "all" {
  owners = ["self"]
}

data "aws_availability_zone" "a" {
  name = "us-east-1a"
}

data "aws_caller_identity" "me" {}

data "aws_region" "here" {}

data "aws_ebs_snapshot" "base" {
  snapshot_ids = ["${var.snapshot}"]
  most_recent  = true
}

data "aws_ebs_snapshot_ids" "all" {
  owners = ["self"]
}

data "aws_vpc" "default" {
  default = true
}

data "aws_vpcs" "all" {}

data "aws_subnet_ids" "default" {
  vpc_id = "${data.aws_vpc.default.id}"
}

data "aws_subnet" "a" {
  availability_zone = "us-east-1a"
  default_for_az    = true
}

data "aws_security_group" "default" {
  name   = "default"
  vpc_id = "${data.aws_vpc.default.id}"
}

data "aws_security_groups" "all" {
  filter {
    name   = "group-name"
    values = ["default"]
  }
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "r" {
  name                 = "r"
  assume_role_policy   = "${data.aws_iam_policy_document.assume.json}"
  description          = "${var.purpose}"
  max_session_duration = "${var.purpose == "shown" ? 7200 : 10800}"

  tags = {
    a = "b"
  }
}

resource "aws_iam_role_policy" "p" {
  name   = "p"
  role   = "${aws_iam_role.r.id}"
  policy = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"ec2:Describe*\",\"Resource\":\"*\"}]}"
}

resource "aws_iam_instance_profile" "r" {
  name = "r"
  path = "/x/"
  role = "${aws_iam_role.r.name}"
}

resource "aws_vpc" "own" {
  cidr_block = "10.1.0.0/16"

  tags = {
    Name = "own ${var.purpose}"
  }
}

resource "aws_subnet" "own" {
  vpc_id                  = "${aws_vpc.own.id}"
  cidr_block              = "10.1.1.0/24"
  availability_zone       = "us-east-1b"
  map_public_ip_on_launch = true

  tags = {
    Name = "own"
  }
}

resource "aws_security_group" "own" {
  name_prefix = "own"
  vpc_id      = "${aws_vpc.own.id}"

  tags = {
    Name = "own"
  }
}

resource "aws_security_group_rule" "in" {
  type              = "ingress"
  from_port         = 22
  to_port           = 22
  protocol          = "tcp"
  cidr_blocks       = ["10.0.0.0/8"]
  description       = "ssh"
  security_group_id = "${aws_security_group.own.id}"
}

resource "aws_security_group_rule" "self" {
  type              = "ingress"
  from_port         = 0
  to_port           = 65535
  protocol          = "udp"
  self              = true
  security_group_id = "${aws_security_group.own.id}"
}

resource "aws_security_group_rule" "out" {
  type              = "egress"
  from_port         = 0
  to_port           = 0
  protocol          = "-1"
  cidr_blocks       = ["0.0.0.0/0"]
  ipv6_cidr_blocks  = ["::/0"]
  security_group_id = "${aws_security_group.own.id}"
}

resource "aws_default_vpc" "d" {
  tags = {
    Name = "default"
  }
}

resource "aws_key_pair" "k" {
  key_name_prefix = "k-"
  public_key      = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPlqU9Rqmgn9o3ScVcm0FN4ZHlOvOMuzh3ZTbEIpT5HR me"
}

resource "aws_instance" "a" {
  ami                                  = "${data.aws_ami.base.id}"
  instance_type                        = "m5d.large"
  subnet_id                            = "${data.aws_subnet.a.id}"
  iam_instance_profile                 = "${aws_iam_instance_profile.r.name}"
  disable_api_termination              = false
  ebs_optimized                        = true
  instance_initiated_shutdown_behavior = "terminate"
  monitoring                           = true
  source_dest_check                    = false
  user_data_base64                     = "aGVsbG8="
  key_name                             = "${aws_key_pair.k.key_name}"

  root_block_device {
    volume_type           = "io1"
    iops                  = 100
    volume_size           = 8
    delete_on_termination = false
  }

  ebs_block_device {
    device_name           = "/dev/sdg"
    volume_size           = 3
    volume_type           = "gp2"
    delete_on_termination = true
  }

  ebs_block_device {
    device_name = "/dev/sdh"
    snapshot_id = "${var.snapshot}"
    volume_type = "standard"
  }

  ephemeral_block_device {
    device_name  = "/dev/sdb"
    virtual_name = "ephemeral0"
  }

  volume_tags = {
    Name = "of a"
  }

  tags = {
    Name    = "a"
    Purpose = "${var.purpose}"
  }
}

resource "aws_instance" "b" {
  ami                    = "${data.aws_ami.base.id}"
  instance_type          = "${var.purpose == "shown" ? "t3.micro" : "t3.small"}"
  subnet_id              = "${aws_subnet.own.id}"
  private_ip             = "10.1.1.77"
  vpc_security_group_ids = ["${aws_security_group.own.id}"]

  credit_specification {
    cpu_credits = "standard"
  }

  disable_api_termination = false

  tags = {
    Name = "b"
  }
}

resource "aws_ebs_volume" "v" {
  availability_zone = "us-east-1b"
  size              = 10
  type              = "io1"
  iops              = "${var.purpose == "shown" ? 200 : 300}"

  tags = {
    Name = "v"
  }
}

resource "aws_ebs_volume" "from" {
  availability_zone = "us-east-1a"
  snapshot_id       = "${var.snapshot}"
}

resource "aws_volume_attachment" "v" {
  device_name  = "/dev/sdk"
  volume_id    = "${aws_ebs_volume.v.id}"
  instance_id  = "${aws_instance.b.id}"
  force_detach = true
}

resource "aws_ebs_snapshot" "s" {
  volume_id = "${aws_ebs_volume.from.id}"

  tags = {
    Name = "s"
  }
}

resource "aws_snapshot_create_volume_permission" "f" {
  snapshot_id = "${aws_ebs_snapshot.s.id}"
  account_id  = "${var.friend}"
}

resource "aws_ami" "m" {
  name                = "m-image"
  virtualization_type = "hvm"
  root_device_name    = "/dev/sda1"
  description         = "${var.purpose}"
  sriov_net_support   = "simple"
  ena_support         = true

  ebs_block_device {
    device_name           = "/dev/sda1"
    snapshot_id           = "${aws_ebs_snapshot.s.id}"
    volume_type           = "io1"
    iops                  = 150
    volume_size           = 9
    delete_on_termination = false
  }

  ebs_block_device {
    device_name = "/dev/sdf"
    volume_size = 2
  }

  ephemeral_block_device {
    device_name  = "/dev/sdb"
    virtual_name = "ephemeral0"
  }

  tags = {
    Name = "m"
  }
}

resource "aws_ami_from_instance" "i" {
  name                    = "image i"
  source_instance_id      = "${aws_instance.b.id}"
  snapshot_without_reboot = true

  tags = {
    Name = "i"
  }
}

resource "aws_ami_launch_permission" "f" {
  image_id   = "${aws_ami.m.id}"
  account_id = "${var.friend}"
}

resource "aws_launch_template" "t" {
  name_prefix                          = "tpl-"
  description                          = "${var.purpose}"
  image_id                             = "${aws_ami.m.id}"
  instance_type                        = "m5.large"
  disable_api_termination              = true
  ebs_optimized                        = true
  instance_initiated_shutdown_behavior = "stop"
  user_data                            = "aGVsbG8="

  block_device_mappings {
    device_name = "/dev/sda1"

    ebs {
      volume_size           = 20
      volume_type           = "gp2"
      delete_on_termination = true
    }
  }

  block_device_mappings {
    device_name = "/dev/sdz"
    no_device   = true
  }

  credit_specification {
    cpu_credits = "standard"
  }

  iam_instance_profile {
    name = "${aws_iam_instance_profile.r.name}"
  }

  monitoring {
    enabled = true
  }

  network_interfaces {
    device_index                = 0
    associate_public_ip_address = true
    delete_on_termination       = true
    subnet_id                   = "${data.aws_subnet.a.id}"
    security_groups             = ["${data.aws_security_group.default.id}"]
  }

  placement {
    availability_zone = "us-east-1a"
    tenancy           = "default"
  }

  tag_specifications {
    resource_type = "instance"

    tags = {
      A = "${var.purpose}"
    }
  }

  tag_specifications {
    resource_type = "volume"

    tags = {
      B = "b"
    }
  }

  tags = {
    Name = "t"
  }
}

data "aws_launch_template" "t" {
  name = "${aws_launch_template.t.name}"
}

data "aws_instance" "a" {
  instance_id = "${aws_instance.a.id}"
}

data "aws_instances" "all" {
  instance_state_names = ["running"]

  filter {
    name   = "instance-id"
    values = ["${aws_instance.a.id}", "${aws_instance.b.id}"]
  }
}

data "aws_ebs_volume" "v" {
  most_recent = true

  filter {
    name   = "volume-id"
    values = ["${aws_ebs_volume.v.id}"]
  }
}

data "aws_network_interface" "a" {
  id = "${aws_instance.a.primary_network_interface_id}"
}

data "aws_iam_role" "r" {
  name = "${aws_iam_role.r.name}"
}

data "aws_iam_instance_profile" "r" {
  name = "${aws_iam_instance_profile.r.name}"
}
