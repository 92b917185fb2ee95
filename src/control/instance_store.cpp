// SPDX-License-Identifier: Apache-2.0
#include "control/instance_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "util/fs.h"

namespace kiln::control {
namespace {

constexpr std::string_view kPrefix = "ephemeral";
constexpr std::string_view kSuffix = ".raw";
constexpr std::uint64_t kGigabyte = 1'000'000'000;  // types count in these
constexpr std::uint64_t kBlock = 4096;              // a disk is a whole number of them

std::string path_of(const std::string& directory, const std::string& name) {
    return fmt::format("{}/{}{}", directory, name, kSuffix);
}

// A file of that size, of which nothing is there yet. One that is there stays as it is.
Status make_file(const std::string& path, std::uint64_t size_bytes) {
    const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) {
        return Error::from_errno(errno, "open " + path);
    }
    struct stat facts {};
    if (::fstat(file.get(), &facts) != 0) {
        return Error::from_errno(errno, "stat " + path);
    }
    if (static_cast<std::uint64_t>(facts.st_size) != size_bytes &&
        ::ftruncate(file.get(), static_cast<off_t>(size_bytes)) != 0) {
        return Error::from_errno(errno, "make " + path);
    }
    return ok();
}

}  // namespace

std::vector<StoreDisk> store_disks(const InstanceType& type,
                                   const model::BlockDeviceMappings& mappings) {
    const bool nvme = type.nvme_store();
    const std::uint64_t bytes = type.instance_store_gb_each * kGigabyte / kBlock * kBlock;
    std::vector<StoreDisk> disks;
    for (std::uint32_t i = 0; i < type.instance_store_disks; ++i) {
        StoreDisk disk{fmt::format("{}{}", kPrefix, i), {}, bytes};
        if (nvme) {
            disks.push_back(std::move(disk));
            continue;
        }
        for (const model::BlockDeviceMapping& mapping : mappings) {
            if (mapping.virtual_name == disk.name) {
                disk.device_name = mapping.device_name;
                disks.push_back(disk);
                break;
            }
        }
    }
    return disks;
}

std::vector<StoreDisk> store_disks(const model::Instance& instance) {
    const InstanceType* type = find_instance_type(instance.instance_type);
    return type == nullptr ? std::vector<StoreDisk>()
                           : store_disks(*type, instance.launch_mappings);
}

Result<std::vector<compute::DiskSpec>> make_store_disks(const std::vector<StoreDisk>& disks,
                                                        const std::string& directory) {
    std::vector<compute::DiskSpec> specs;
    if (!disks.empty()) {
        TRY(make_directories(directory, 0700));
    }
    for (const StoreDisk& disk : disks) {
        compute::DiskSpec& spec = specs.emplace_back();
        spec.transport = compute::DiskTransport::file;
        spec.id = disk.name;
        spec.serial = disk.name;
        spec.file = path_of(directory, disk.name);
        spec.device_name = disk.device_name;
        TRY(make_file(spec.file, disk.size_bytes));
    }
    return specs;
}

Status remove_store_disks(const std::string& directory) {
    std::error_code error;
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with(kPrefix) && name.ends_with(kSuffix)) {
            found.push_back(entry.path().string());
        }
    }
    if (error && error != std::errc::no_such_file_or_directory) {
        return Error::from_errno(error.value(), "list " + directory);
    }
    for (const std::string& path : found) {
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
            return Error::from_errno(errno, "remove " + path);
        }
    }
    return ok();
}

}  // namespace kiln::control
