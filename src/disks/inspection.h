// SPDX-License-Identifier: Apache-2.0
// Inspection: what a disk is, as far as its bytes tell without being mounted or booted: partitions,
// loaders, file systems, the operating system; and whether an instance could boot from it. The
// partition table and the marks of file systems are read here (layout.h, file_system.h), files by
// libraries in the sandboxed reader (reader.h); where no sandbox can be had, no file is known.
//
// Errors: those of `read` alone. Thread model: pure functions, blocking for at most some 30 s.
#pragma once

#include <string>
#include <vector>

#include "disks/file_system.h"
#include "disks/layout.h"

namespace kiln::disks {

struct Inspection {
    struct Part {
        Partition partition;  // number 0: the whole disk, which has no partitions
        FileSystemFindings findings;
    };
    std::uint64_t size_bytes = 0;
    DiskLayout layout;
    std::vector<Part> parts;
    std::string why_not;  // a reader of file systems failed; otherwise empty
    // The place in `parts` of the root file system; none: -1.
    int root = -1;

    const System* system() const {
        return root < 0 ? nullptr : &*parts[static_cast<std::size_t>(root)].findings.system;
    }
    // EC2's architecture, by the loaders and the programs; empty: not told or EC2 has none such.
    std::string architecture() const;
};

// `program`: the path of kiln itself (own_program()), which is started again as the
// reader.
Result<Inspection> inspect_disk(std::uint64_t size_bytes, const ReadAt& read,
                                const std::string& program);

// What an image says of its disk; texts as EC2 has them.
struct ImageClaims {
    std::string architecture;
    std::string boot_mode;  // empty: none, which means BIOS
    bool hvm = true;
};

// Why an instance would not boot from it, each a sentence of a few words and what to do; none: it
// looks bootable. DSK-2, DSK-3.
std::vector<std::string> boot_warnings(const Inspection& disk);
// Where the image says something else than its disk.
std::vector<std::string> claim_warnings(const Inspection& disk, const ImageClaims& claims);

// The device name that Amazon's own images of the system have for their root (DSK-4).
std::string usual_root_device(const Inspection& disk, bool hvm);

// "Debian GNU/Linux 12 (bookworm), ext4 in partition 1, cloud-init", or why it is not told.
std::string describe_system(const Inspection& disk);

// A JSON object: {"partitionTable", "bootCode", "efiLoaders", "partitions", "os", ...}.
std::string inspection_json(const Inspection& disk);

}  // namespace kiln::disks
