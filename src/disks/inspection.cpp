// SPDX-License-Identifier: Apache-2.0
#include "disks/inspection.h"

#include <algorithm>
#include <array>

#include "disks/reader.h"

namespace kiln::disks {
namespace {

constexpr std::chrono::seconds kTime{30};
// More is no disk that somebody made to boot from.
constexpr std::size_t kMaxParts = 32;
constexpr std::array<std::string_view, 3> kArchitectures{"x86_64", "i386", "arm64"};

std::vector<Inspection::Part> parts_of(const Inspection& disk) {
    std::vector<Inspection::Part> parts;
    for (const Partition& partition : disk.layout.partitions) {
        if (parts.size() < kMaxParts) {
            parts.push_back({partition, {}});
        }
    }
    if (disk.layout.scheme == DiskLayout::Scheme::none && disk.size_bytes > 0) {
        parts.push_back({{0, 0, disk.size_bytes, Partition::Use::other}, {}});
    }
    return parts;
}

Result<FileSystem> probe(const Partition& partition, const ReadAt& read) {
    return probe_file_system(partition.length, [&](std::uint64_t offset, MutableByteView into) {
        return read(partition.offset + offset, into);
    });
}

// Rescue systems come without os-release, so that those with one go first.
int find_root(const std::vector<Inspection::Part>& parts) {
    int root = -1;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto& system = parts[i].findings.system;
        if (system &&
            (root < 0 || (!system->id.empty() &&
                          parts[static_cast<std::size_t>(root)].findings.system->id.empty()))) {
            root = static_cast<int>(i);
        }
    }
    return root;
}

}  // namespace

std::string Inspection::architecture() const {
    const System* found = system();
    if (found != nullptr) {
        for (const std::string_view known : kArchitectures) {
            if (found->architecture == known) {
                return found->architecture;
            }
        }
        if (!found->architecture.empty()) {
            return {};
        }
    }
    return boot_facts(layout).architecture;
}

Result<Inspection> inspect_disk(std::uint64_t size_bytes, const ReadAt& read,
                                const std::string& program) {
    Inspection disk;
    disk.size_bytes = size_bytes;
    TRY_ASSIGN(disk.layout, read_layout(size_bytes, read));
    disk.parts = parts_of(disk);
    const Deadline deadline = Deadline::after(kTime);
    for (Inspection::Part& part : disk.parts) {
        TRY_ASSIGN(part.findings.file_system, probe(part.partition, read));
        if (!has_readable_files(part.findings.file_system)) {
            continue;
        }
        // A reader each: the one whose file system kills it takes no other's findings along.
        const ReadRequest request{size_bytes, {{part.partition.offset, part.partition.length}}};
        auto findings = run_sandboxed_reader(request, read, program, deadline);
        if (findings) {
            findings->front().file_system = part.findings.file_system;
            part.findings = std::move(findings->front());
        } else {
            part.findings.why_not = printable(findings.error().message());
            disk.why_not = part.findings.why_not;
        }
    }
    disk.root = find_root(disk.parts);
    return disk;
}

std::string usual_root_device(const Inspection& disk, bool hvm) {
    // Debian's and Amazon's own have /dev/xvda.
    constexpr std::array<std::string_view, 8> kSda1{
        "ubuntu", "fedora", "rhel", "centos", "rocky", "sles", "opensuse-leap", "almalinux"};
    const System* system = disk.system();
    const std::string id = system == nullptr ? "" : system->id;
    const bool sda1 = std::find(kSda1.begin(), kSda1.end(), id) != kSda1.end();
    return sda1 || !hvm ? "/dev/sda1" : "/dev/xvda";
}

}  // namespace kiln::disks
