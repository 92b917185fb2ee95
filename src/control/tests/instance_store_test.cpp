// SPDX-License-Identifier: Apache-2.0
#include "control/instance_store.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>

#include "control/tests/test_service.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::control;

namespace {

model::BlockDeviceMapping mapped(std::string device, std::string name) {
    model::BlockDeviceMapping mapping;
    mapping.device_name = std::move(device);
    mapping.virtual_name = std::move(name);
    return mapping;
}

std::vector<std::string> names(const char* type, const model::BlockDeviceMappings& mappings) {
    std::vector<std::string> all;
    for (const StoreDisk& disk : store_disks(*find_instance_type(type), mappings)) {
        all.push_back(disk.name + "@" + disk.device_name);
    }
    return all;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("IST-1 BDM-2: the type and the mapping say which disks there are") {
    const model::BlockDeviceMappings mappings{mapped("/dev/sdc", "ephemeral1"),
                                              mapped("/dev/sdb", "ephemeral0")};
    CHECK(names("t3.nano", mappings) == Names{});
    CHECK(names("m3.medium", mappings) == Names{"ephemeral0@/dev/sdb"});
    CHECK(names("m3.medium", {}) == Names{});
    CHECK(names("m5d.large", mappings) == Names{"ephemeral0@"});
    CHECK(names("m5d.large", {}) == Names{"ephemeral0@"});
    model::Instance instance;
    instance.instance_type = "no.such";
    CHECK(store_disks(instance).empty());
}

TEST_CASE("IST-2 IST-3: a disk is a sparse file, made once and removed") {
    const io::testing::TempDir place;
    const std::string directory = place.path() + "/i-1";
    const auto disks = store_disks(*find_instance_type("c5d.large"), {});
    const auto made = make_store_disks(disks, directory);
    REQUIRE(made);
    REQUIRE(made->size() == 1);
    const std::string& path = made->front().file;
    CHECK(path == directory + "/ephemeral0.raw");
    struct stat facts {};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    CHECK(facts.st_size == 50'000'000'000 / 4096 * 4096);
    CHECK(facts.st_blocks == 0);
    CHECK((facts.st_mode & 0777) == 0600);
    std::filesystem::resize_file(path, 4096);
    // Of this run: whole again, and the same file.
    const auto inode = facts.st_ino;
    REQUIRE(make_store_disks(disks, directory));
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    CHECK(facts.st_ino == inode);
    REQUIRE(write_file_atomic(directory + "/serial.log", "x", 0600));
    REQUIRE(remove_store_disks(directory));
    REQUIRE(remove_store_disks(directory));
    CHECK_FALSE(std::filesystem::exists(path));
    CHECK(std::filesystem::exists(directory + "/serial.log"));
    CHECK(remove_store_disks(directory + "/none"));
    // A link that somebody put in its place is not followed.
    std::filesystem::create_symlink(directory + "/serial.log", path);
    CHECK_FALSE(make_store_disks(disks, directory));
}
