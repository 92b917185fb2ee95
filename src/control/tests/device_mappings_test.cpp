// SPDX-License-Identifier: Apache-2.0
#include "control/device_mappings.h"

#include <doctest/doctest.h>

using namespace kiln;
using namespace kiln::control;
using model::BlockDeviceMapping;
using model::BlockDeviceMappings;
using model::EbsBlockDevice;
using model::VirtualizationType;
using model::VolumeType;

namespace {

BlockDeviceMapping ebs(std::string device, std::string snapshot,
                       std::optional<std::uint32_t> size = {}) {
    BlockDeviceMapping mapping;
    mapping.device_name = std::move(device);
    mapping.ebs.emplace();
    mapping.ebs->snapshot_id = model::SnapshotId(std::move(snapshot));
    mapping.ebs->volume_size_gib = size;
    return mapping;
}

BlockDeviceMapping none(std::string device) {
    BlockDeviceMapping mapping;
    mapping.device_name = std::move(device);
    mapping.no_device = true;
    return mapping;
}

BlockDeviceMapping ephemeral(std::string device, std::string name) {
    BlockDeviceMapping mapping;
    mapping.device_name = std::move(device);
    mapping.virtual_name = std::move(name);
    return mapping;
}

std::string code(const Status& status) {
    return status ? "" : status.error().api_code();
}

}  // namespace

TEST_CASE("BDM-6: device names are those the API takes") {
    for (const char* name :
         {"/dev/sda1", "/dev/sda2", "/dev/sdb", "/dev/xvda", "xvdb", "/dev/xvdcz", "sdf"}) {
        CHECK_MESSAGE(is_valid_device_name(name, VirtualizationType::hvm), name);
    }
    for (const char* name :
         {"", "/dev/", "/dev/sdb1", "/dev/sda3", "/dev/xvd", "/dev/xvdabc", "/dev/XVDA", "/dev/vda",
          "/dev/hda", "/dev/sda01", "nvme0n1", "/dev/sda "}) {
        CHECK_MESSAGE(!is_valid_device_name(name, VirtualizationType::hvm), name);
    }
    CHECK(is_valid_device_name("/dev/sdb15", VirtualizationType::paravirtual));
    CHECK(is_valid_device_name("/dev/hda1", VirtualizationType::paravirtual));
    CHECK_FALSE(is_valid_device_name("/dev/sdb16", VirtualizationType::paravirtual));
    CHECK_FALSE(is_valid_device_name("/dev/sdb0", VirtualizationType::paravirtual));
}

TEST_CASE("BDM-1 BDM-2 BDM-4 BDM-5: a list names each device once, as one kind of thing") {
    const auto check = [](const BlockDeviceMappings& list) {
        return code(check_mapping_list(list, VirtualizationType::hvm));
    };
    CHECK(check({ebs("/dev/xvda", "snap-1"), ephemeral("/dev/sdb", "ephemeral0"),
                 none("/dev/sdc")}) == "");
    CHECK(check({ebs("/dev/xvdb", "snap-1"), ebs("xvdb", "snap-2")}) ==
          "InvalidBlockDeviceMapping");
    CHECK(check({ephemeral("/dev/sdb", "ephemeral24")}) == "InvalidBlockDeviceMapping");
    CHECK(check({ephemeral("/dev/sdb", "ephemeral")}) == "InvalidBlockDeviceMapping");
    CHECK(check({ephemeral("/dev/sdb", "disk1")}) == "InvalidBlockDeviceMapping");
    CHECK(check({ephemeral("/dev/sdb", "")}) == "InvalidBlockDeviceMapping");
    BlockDeviceMapping both = ebs("/dev/sdb", "snap-1");
    both.virtual_name = "ephemeral0";
    CHECK(check({both}) == "InvalidBlockDeviceMapping");
    both.no_device = true;
    CHECK(check({both}) == "");
    CHECK(check({ebs("", "snap-1")}) == "MissingParameter");
}

TEST_CASE("BDM-9: a launch's entry keeps what it does not say") {
    BlockDeviceMappings image{ebs("/dev/xvda", "snap-root", 8), ebs("/dev/sdh", "snap-data", 100)};
    image[1].ebs->volume_type = VolumeType::io1;
    image[1].ebs->iops = 500;
    image[1].ebs->delete_on_termination = true;
    BlockDeviceMapping bigger = ebs("sdh", "", 300);
    const auto merged = merge_launch_mappings(
        image, {bigger, ebs("/dev/sdi", "", 5), none("/dev/sdz")}, "/dev/xvda");
    REQUIRE(merged);
    REQUIRE(merged->size() == 3);
    CHECK((*merged)[0] == image[0]);
    const EbsBlockDevice& data = *(*merged)[1].ebs;
    CHECK(data.snapshot_id.str() == "snap-data");
    CHECK(data.volume_size_gib == 300U);
    CHECK(data.iops == 500U);
    CHECK(data.delete_on_termination == true);
    CHECK((*merged)[2].device_name == "/dev/sdi");

    bigger.ebs->volume_type = VolumeType::gp3;
    const auto retyped = merge_launch_mappings(image, {bigger}, "/dev/xvda");
    CHECK_FALSE((*retyped)[1].ebs->iops.has_value());
    CHECK(merge_launch_mappings(image, {none("/dev/sdh")}, "/dev/xvda")->size() == 1);
    CHECK((*merge_launch_mappings(image, {ephemeral("/dev/sdh", "ephemeral0")}, "/dev/xvda"))[1]
              .virtual_name == "ephemeral0");
}

TEST_CASE("BDM-10 BDM-11: the root keeps its snapshot; another name is another volume") {
    const BlockDeviceMappings image{ebs("/dev/xvda", "snap-root", 8)};
    const auto refusal = [&](const BlockDeviceMapping& over) {
        return merge_launch_mappings(image, {over}, "/dev/xvda").error().message();
    };
    CHECK(refusal(ebs("/dev/xvda", "snap-other")) ==
          "snapshotId cannot be modified on root device");
    CHECK(merge_launch_mappings(image, {none("/dev/xvda")}, "/dev/xvda").error().api_code() ==
          "InvalidBlockDeviceMapping");
    CHECK_FALSE(merge_launch_mappings(image, {ephemeral("/dev/xvda", "ephemeral0")}, "/dev/xvda"));
    CHECK((*merge_launch_mappings(image, {ebs("/dev/xvda", "", 20)}, "/dev/xvda"))[0]
              .ebs->volume_size_gib == 20U);
    CHECK(merge_launch_mappings(image, {ebs("/dev/sda1", "", 20)}, "/dev/xvda")->size() == 2);
}

TEST_CASE("VOL-20: a gp3 volume has its type's performance where none is asked for") {
    const auto with = [](VolumeType type, std::optional<std::uint32_t> iops = {},
                         std::optional<std::uint32_t> throughput = {}) {
        EbsBlockDevice ebs;
        ebs.volume_type = type;
        ebs.iops = iops;
        ebs.throughput_mibps = throughput;
        add_default_performance(ebs);
        return std::pair(ebs.iops.value_or(0), ebs.throughput_mibps.value_or(0));
    };
    CHECK(with(VolumeType::gp3) == std::pair(3000U, 125U));
    CHECK(with(VolumeType::gp3, 4000) == std::pair(4000U, 125U));
    CHECK(with(VolumeType::gp3, {}, 300) == std::pair(3000U, 300U));
    CHECK(with(VolumeType::gp2) == std::pair(0U, 0U));
    CHECK(with(VolumeType::io1, 200) == std::pair(200U, 0U));
}

TEST_CASE("BDM-17: sizes and performance stay within the volume type's limits") {
    const auto check = [](VolumeType type, std::uint32_t size,
                          std::optional<std::uint32_t> iops = {},
                          std::optional<std::uint32_t> throughput = {}) {
        EbsBlockDevice ebs;
        ebs.iops = iops;
        ebs.throughput_mibps = throughput;
        return code(check_volume_limits(type, size, ebs));
    };
    CHECK(check(VolumeType::gp3, 65536) == "");  // BDM-18
    CHECK(check(VolumeType::gp3, 65537) == "InvalidParameterValue");
    CHECK(check(VolumeType::gp3, 0) == "InvalidParameterValue");
    CHECK(check(VolumeType::gp3, 1, 3000, 125) == "");
    CHECK(check(VolumeType::gp3, 1, 3001) == "InvalidParameterValue");
    CHECK(check(VolumeType::gp3, 100, 4000, 1000) == "");
    CHECK(check(VolumeType::gp3, 100, 4000, 1001) == "InvalidParameterValue");
    CHECK(check(VolumeType::gp2, 16385) == "InvalidParameterValue");
    CHECK(check(VolumeType::gp2, 10, 100) == "InvalidParameterCombination");
    CHECK(check(VolumeType::gp2, 10, {}, 125) == "InvalidParameterCombination");
    CHECK(check(VolumeType::io1, 10) == "MissingParameter");
    CHECK(check(VolumeType::io1, 10, 500) == "");
    CHECK(check(VolumeType::io1, 10, 501) == "InvalidParameterValue");
    CHECK(check(VolumeType::st1, 124) == "InvalidParameterValue");
    CHECK(check(VolumeType::standard, 1024) == "");
}
