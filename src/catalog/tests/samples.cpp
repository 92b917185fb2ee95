// SPDX-License-Identifier: Apache-2.0
#include "catalog/tests/samples.h"

namespace kiln::catalog::testing {

using namespace model;

Image small_image(unsigned number, const AccountId& owner) {
    Image image;
    image.id = ImageId(id_of("ami", number));
    image.owner_id = owner;
    image.region = "us-east-1";
    image.name = "image-" + std::to_string(number);
    image.state = ImageState::available;
    image.created = UnixMillis{std::int64_t{number} * 1000};
    return image;
}

Job small_job(unsigned number, const std::string& kind) {
    Job job;
    job.id = JobId(id_of("job", number));
    job.kind = kind;
    job.subject = id_of("i", number);
    job.step = "first";
    job.created = UnixMillis{std::int64_t{number}};
    return job;
}

Account full_account() {
    return {kAlice,
            "Alice \"the\" baker ä",
            "amazon",
            true,
            UnixMillis{1'700'000'000'001},
            model::Membership{kBob, "o-1234567890", {"ou-ab12-12345678"}}};
}

AccessKey full_access_key() {
    return {AccessKeyId("AKIAABCDEFGHIJKLMNOP"),
            kAlice,
            "se/cret+",
            AccessKeyState::inactive,
            UnixMillis{1'700'000'000'002},
            model::UserId("AIDAABCDEFGHIJKLMNOPQ")};
}

namespace {

BlockDeviceMappings full_mappings() {
    EbsBlockDevice ebs{
        SnapshotId(id_of("snap", 1)), 8, VolumeType::io2, 3000, 125, false, "key-1", true, 150};
    EbsBlockDevice empty;
    empty.volume_size_gib = 65536;
    return {{"/dev/sda1", ebs, "", false},
            {"/dev/sdb", std::nullopt, "ephemeral0", false},
            {"/dev/sdc", empty, "", false},
            {"/dev/sdd", std::nullopt, "", true}};
}

}  // namespace

Image full_image() {
    Image image = small_image(7);
    image.description = "a description";
    image.location = "111111111111/image-7";
    image.state = ImageState::failed;
    image.state_reason = StateReason{"Client.InternalError", "Client.InternalError: no"};
    image.owner_alias = "amazon";
    image.launch_permissions = {
        true, {kBob, kCarol}, {"arn:aws:organizations::222222222222:organization/o-1234567890"}};
    image.architecture = Architecture::arm64;
    image.type = ImageType::kernel;
    image.virtualization_type = VirtualizationType::hvm;
    image.platform = "windows";
    image.platform_details = "Windows";
    image.usage_operation = "RunInstances:0002";
    image.root_device_name = "/dev/sda1";
    image.root_device_type = RootDeviceType::instance_store;
    image.block_device_mappings = full_mappings();
    image.kernel_id = ImageId("aki-12345678");
    image.ramdisk_id = ImageId("ari-12345678");
    image.ena_support = true;
    image.sriov_net_simple = true;
    image.boot_mode = BootMode::uefi_preferred;
    image.tpm_v2 = true;
    image.imds_v2 = true;
    image.uefi_data = "QUJD";
    image.product_codes = {{"code", "marketplace"}};
    image.instance_types = {{"t3.*", "m5.large"}, {"t3.nano"}};
    image.last_launched = UnixMillis{5};
    image.deprecation_time = UnixMillis{60'000};
    image.deregistration_protection = DeregistrationProtection::with_cooldown;
    image.cooldown_until = UnixMillis{7};
    image.source_instance_id = InstanceId(id_of("i", 1));
    image.source_image_id = ImageId(id_of("ami", 1));
    image.source_image_region = "eu-west-1";
    image.public_parameter = "/aws/service/kiln/tiny-linux/latest/x86_64";
    model::FastLaunch fast;
    fast.account = kBob;
    fast.begun = UnixMillis{8};
    fast.state = model::FastLaunchState::disabling_failed;
    fast.reason = "Client.UserInitiated";
    fast.changed = UnixMillis{9};
    fast.target = 5;
    fast.parallel = 6;
    fast.template_id = LaunchTemplateId(id_of("lt", 1));
    fast.template_name = "web";
    fast.template_version = "3";
    fast.force = true;
    fast.ready = {SnapshotId(id_of("snap", 1)), SnapshotId(id_of("snap", 2))};
    fast.machines = {{"token", InstanceId(id_of("i", 1)), SnapshotId(id_of("snap", 3)), 2,
                      UnixMillis{10}, true}};
    image.fast_launches = {fast};
    return image;
}

Snapshot full_snapshot() {
    Snapshot snapshot;
    snapshot.id = SnapshotId(id_of("snap", 1));
    snapshot.owner_id = kAlice;
    snapshot.region = "us-east-1";
    snapshot.state = SnapshotState::error;
    snapshot.state_message = "a message";
    snapshot.progress_percent = 42;
    snapshot.description = "described";
    snapshot.owner_alias = "amazon";
    snapshot.volume_id = VolumeId(id_of("vol", 1));
    snapshot.volume_size_gib = 65536;
    snapshot.content = ContentId(id_of("content", 1));
    snapshot.set = SnapshotSetId(id_of("set", 1));
    snapshot.encrypted = true;
    snapshot.kms_key_id = "key-1";
    snapshot.lineage = id_of("vol", 3);
    snapshot.created = UnixMillis{10};
    snapshot.completed = UnixMillis{11};
    snapshot.full_size_bytes = 1ULL << 46;
    snapshot.volume_permissions = {true, {kBob, kCarol}};
    snapshot.transfer_type = SnapshotTransfer::time_based;
    snapshot.completion_minutes = 15;
    snapshot.local_zone = "us-east-1-bos-1a";
    snapshot.source_image = SourceImage{ImageId(id_of("ami", 3)), "eu-west-1"};
    snapshot.fast_restores = {{kBob, "us-east-1a", UnixMillis{12}, UnixMillis{13}, UnixMillis{14}},
                              {kAlice, "us-east-1b", UnixMillis{15}, {}, UnixMillis{16}}};
    return snapshot;
}

Volume full_volume() {
    Volume volume;
    volume.id = VolumeId(id_of("vol", 1));
    volume.owner_id = kAlice;
    volume.region = "us-east-1";
    volume.availability_zone = "us-east-1a";
    volume.outpost_arn = "arn:aws:outposts:us-east-1:111111111111:outpost/op-0123456789abcdef0";
    volume.state = VolumeState::in_use;
    volume.size_gib = 9;
    volume.type = VolumeType::gp3;
    volume.iops = 3000;
    volume.throughput_mibps = 125;
    volume.encrypted = true;
    volume.kms_key_id = "key-1";
    volume.lineage = id_of("vol", 3);
    volume.snapshot_id = SnapshotId(id_of("snap", 1));
    volume.base_content = ContentId(id_of("content", 1));
    volume.active_layer = LayerId(id_of("layer", 1));
    volume.multi_attach = true;
    volume.attachments = {{InstanceId(id_of("i", 1)), "/dev/sdf", AttachmentState::busy, true,
                           UnixMillis{12}, true, 0},
                          {InstanceId(id_of("i", 2)), "/dev/sdg", AttachmentState::attached, false,
                           UnixMillis{13}, false, 2}};
    volume.modification = VolumeModification{ModificationState::failed,
                                             "a reason",
                                             {8, VolumeType::io1, 100, 130},
                                             {9, VolumeType::gp3, 3000, 125, true},
                                             UnixMillis{14},
                                             UnixMillis{15}};
    volume.modified = {UnixMillis{10}, UnixMillis{14}};
    volume.created = UnixMillis{13};
    volume.source_volume = VolumeId(id_of("vol", 2));
    volume.source_image = SourceImage{ImageId(id_of("ami", 4)), "us-east-1"};
    volume.fast_restored = true;
    volume.initialization_rate_mibps = 150;
    volume.auto_enable_io = true;
    volume.event = VolumeEventNote{VolumeEventId(id_of("evol", 1)), VolumeFault::damaged,
                                   InstanceId(id_of("i", 1)), UnixMillis{16}};
    return volume;
}

ReplaceRootTask full_replace_root_task() {
    ReplaceRootTask task;
    task.id = ReplaceRootTaskId(id_of("replacevol", 1));
    task.owner_id = kAlice;
    task.region = "us-east-1";
    task.instance_id = InstanceId(id_of("i", 1));
    task.state = ReplaceRootState::failing;
    task.snapshot_id = SnapshotId(id_of("snap", 1));
    task.image_id = ImageId(id_of("ami", 1));
    task.old_root = VolumeId(id_of("vol", 1));
    task.new_root = VolumeId(id_of("vol", 2));
    task.volume_given = true;
    task.delete_replaced_root = true;
    task.switched = true;
    task.failure = "a reason";
    task.created = UnixMillis{50};
    task.completed = UnixMillis{51};
    return task;
}

Instance full_instance() {
    Instance instance;
    instance.id = InstanceId(id_of("i", 1));
    instance.reservation_id = ReservationId(id_of("r", 1));
    instance.owner_id = kAlice;
    instance.region = "us-east-1";
    instance.availability_zone = "us-east-1a";
    instance.outpost_arn = "arn:aws:outposts:us-east-1:111111111111:outpost/op-0123456789abcdef0";
    instance.launch_index = 3;
    instance.client_token = "token";
    instance.state = InstanceState::terminated;
    instance.state_reason = StateReason{"pending", "pending: pending"};
    instance.state_transition_reason = "User initiated";
    instance.created = UnixMillis{20};
    instance.launched = UnixMillis{21};
    instance.terminated = UnixMillis{22};
    instance.image_id = ImageId(id_of("ami", 1));
    instance.instance_type = "t3.micro";
    instance.architecture = Architecture::i386;
    instance.virtualization_type = VirtualizationType::paravirtual;
    instance.platform = "windows";
    instance.platform_details = "Windows";
    instance.usage_operation = "RunInstances:0002";
    instance.root_device_name = "/dev/xvda";
    instance.root_device_type = RootDeviceType::instance_store;
    instance.launch_mappings = full_mappings();
    instance.kernel_id = ImageId("aki-12345678");
    instance.ramdisk_id = ImageId("ari-12345678");
    instance.ena_support = true;
    instance.sriov_net_simple = true;
    instance.ebs_optimized = true;
    instance.boot_mode = BootMode::uefi;
    instance.current_boot_mode = BootMode::uefi;
    instance.disk_transport = DiskTransport::vhost_user;
    instance.tpm_v2 = true;
    instance.product_codes = {{"code", "devpay"}};
    instance.key_name = "key";
    instance.public_key = "ssh-rsa AAAA";
    instance.profile = InstanceProfileRef{InstanceProfileId("AIPA2222222222222222A"),
                                          "arn:aws:iam::111111111111:instance-profile/Bakers"};
    instance.profile_association =
        ProfileAssociation{ProfileAssociationId(id_of("iip-assoc", 1)), UnixMillis{23}};
    instance.detailed_monitoring = true;
    instance.cpu_credits = CpuCredits::unlimited;
    instance.capacity_preference = CapacityPreference::none;
    instance.user_data = Bytes{0, 1, 0xff, 0x80};
    instance.metadata_options = {true, 2, false, true, true};
    instance.shutdown_behavior = ShutdownBehavior::terminate;
    instance.disable_api_termination = true;
    instance.disable_api_stop = true;
    instance.forced_off = true;
    instance.vpc_id = VpcId(id_of("vpc", 1));
    instance.subnet_id = SubnetId(id_of("subnet", 1));
    instance.network_interface_id = NetworkInterfaceId(id_of("eni", 1));
    instance.security_groups = {SecurityGroupId(id_of("sg", 1)), SecurityGroupId(id_of("sg", 2))};
    instance.mac = "02:00:00:00:00:01";
    instance.private_ip = "172.31.0.4";
    instance.public_ip = "127.1.2.3";
    instance.no_public_ip = true;
    instance.interface_description = "front";
    instance.source_dest_check = false;
    return instance;
}

KeyPair full_key_pair() {
    KeyPair pair;
    pair.id = KeyPairId(id_of("key", 1));
    pair.owner_id = kAlice;
    pair.region = "us-east-1";
    pair.name = "a key";
    pair.type = KeyType::ed25519;
    pair.fingerprint = "odzmoB4gyxi1jn9vGD4c+bOpt1XUX1JUyaHaWHHCO2w=";
    pair.public_key = "ssh-ed25519 AAAA";
    pair.created = UnixMillis{14};
    return pair;
}

LaunchTemplate full_launch_template() {
    LaunchTemplate made;
    made.id = LaunchTemplateId(id_of("lt", 1));
    made.owner_id = kAlice;
    made.region = "us-east-1";
    made.name = "web";
    made.created = UnixMillis{15};
    made.created_by = "arn:aws:iam::111111111111:root";
    made.default_version = 2;
    made.latest_version = 3;
    made.last_number = 4;
    made.version_count = 5;
    return made;
}

LaunchTemplateVersion full_launch_template_version() {
    LaunchTemplateVersion version;
    version.template_id = LaunchTemplateId(id_of("lt", 1));
    version.number = 12;
    version.created = UnixMillis{16};
    version.created_by = "arn:aws:iam::111111111111:root";
    version.description = "the second try";
    version.data = R"({"ImageId":"ami-1"})";
    version.image = "ami-1";
    return version;
}

Role full_role() {
    Role role;
    role.id = RoleId("AROA2222222222222222A");
    role.owner_id = kAlice;
    role.name = "Bakers";
    role.path = "/build/";
    role.description = "bake images";
    role.max_session_s = 7200;
    role.trust_policy = "{}";
    role.policies = {{"ec2", "{\"Version\":\"2012-10-17\"}"}};
    role.tags = {{"team", "images"}};
    role.created = UnixMillis{15};
    return role;
}

InstanceProfile full_instance_profile() {
    InstanceProfile profile;
    profile.id = InstanceProfileId("AIPA2222222222222222A");
    profile.owner_id = kAlice;
    profile.name = "Bakers";
    profile.path = "/build/";
    profile.role_id = full_role().id;
    profile.tags = {{"team", "images"}};
    profile.created = UnixMillis{16};
    return profile;
}

User full_user() {
    User user;
    user.id = UserId("AIDAABCDEFGHIJKLMNOPQ");
    user.owner_id = kAlice;
    user.name = "Baker";
    user.path = "/ovens/";
    user.policies = {{"all", R"({"Statement":[]})"}};
    user.tags = {{"a key", "a value"}};
    user.created = UnixMillis{1'700'000'000'011};
    return user;
}

ImageUsageReport full_usage_report() {
    ImageUsageReport report;
    report.id = ImageUsageReportId(id_of("amiur", 1));
    report.owner_id = kAlice;
    report.region = "us-east-1";
    report.image_id = ImageId(id_of("ami", 7));
    report.resource_types = {{"ec2:Instance", std::nullopt}, {"ec2:LaunchTemplate", 20}};
    report.accounts = {kBob};
    report.state = UsageReportState::error;
    report.state_reason = "no";
    report.created = UnixMillis{1'700'000'000'012};
    report.expires = UnixMillis{1'700'000'000'013};
    report.entries = {{"ec2:Instance", kBob, 3}};
    return report;
}

StoredParameter full_parameter() {
    StoredParameter parameter;
    parameter.owner_id = kAlice;
    parameter.region = "us-east-1";
    parameter.name = "/golden/image";
    parameter.data_type = "aws:ec2:image";
    parameter.description = "what we launch";
    parameter.created = UnixMillis{1'700'000'000'014};
    parameter.versions = {{1, id_of("ami", 6), UnixMillis{1'700'000'000'014}},
                          {2, id_of("ami", 7), UnixMillis{1'700'000'000'015}}};
    return parameter;
}

RegionSettings full_region_settings() {
    return {kAlice,
            "us-east-1",
            ImageBlockPublicAccess::block_new_sharing,
            SnapshotBlockPublicAccess::block_all_sharing,
            {true, 3, false, true, true},
            UnixMillis{17},
            true,
            {"us-east-1-bos-1"},
            {SnapshotId(id_of("snap", 1)), SnapshotId(id_of("snap", 2))},
            {ImageId(id_of("ami", 1))}};
}

Vpc full_vpc() {
    return {VpcId(id_of("vpc", 1)), kAlice, "us-east-1", "172.31.0.0/16", true,
            UnixMillis{25},         false,  false,       {"us-east-1b"}};
}

Subnet full_subnet() {
    return {SubnetId(id_of("subnet", 1)),
            VpcId(id_of("vpc", 1)),
            kAlice,
            "us-east-1",
            "us-east-1a",
            "use1-az1",
            "arn:aws:outposts:us-east-1:111111111111:outpost/op-0123456789abcdef0",
            "172.31.0.0/20",
            true,
            true,
            UnixMillis{26}};
}

SecurityGroup full_security_group() {
    SecurityGroup group{SecurityGroupId(id_of("sg", 1)),
                        kAlice,
                        "us-east-1",
                        VpcId(id_of("vpc", 1)),
                        "web",
                        "web servers",
                        {},
                        UnixMillis{27}};
    group.rules = {
        {SecurityGroupRuleId(id_of("sgr", 1)), false, "tcp", 22, 22, "10.0.0.0/8", "", {}, "ssh"},
        {SecurityGroupRuleId(id_of("sgr", 2)), true, "-1", {}, {}, "", "::/0", {}, ""},
        {SecurityGroupRuleId(id_of("sgr", 3)), false, "icmp", -1, -1, "", "",
         SecurityGroupId(id_of("sg", 2)), ""}};
    return group;
}

Content full_content() {
    return {ContentId(id_of("content", 2)),
            ContentState::rooted,
            ContentId(id_of("content", 1)),
            LayerId(id_of("layer", 1)),
            {LayerId(id_of("layer", 3)), LayerId(id_of("layer", 2))},
            std::string(64, 'a'),
            "key-1",
            1ULL << 46,
            UnixMillis{30}};
}

LayerRecord full_layer() {
    return {LayerId(id_of("layer", 1)),
            LayerState::dropping,
            1ULL << 46,
            1,
            Bytes(16, 0xab),
            Bytes(8, 0xcd),
            UnixMillis{31}};
}

IdempotencyToken full_token() {
    return {kAlice, "us-east-1", "RunInstances", "a/token", "hash", id_of("r", 1), UnixMillis{32}};
}

Job full_job() {
    Job job = small_job(1, "instance.launch");
    job.payload = "{\"a\":1}";
    job.not_before = UnixMillis{40};
    job.attempts = 3;
    job.last_error = "no luck";
    job.lease_owner = "node";
    job.lease_until = UnixMillis{41};
    job.lease_epoch = 7;
    job.woken = true;
    return job;
}

}  // namespace kiln::catalog::testing
