// SPDX-License-Identifier: Apache-2.0
// A disk in a format of its own, read through qemu-nbd in a sandbox (D22): no network, no file but
// the disk itself (read-only), limits on memory and processor time. Before it is opened, qemu-img
// says, in the same sandbox, what it is: a disk that refers to other files, or is encrypted, is
// refused. Thread model: one owner thread, blocking.
#pragma once

#include "cli/disk_source.h"

namespace kiln::cli {

Result<std::unique_ptr<DiskSource>> open_sandboxed_disk(const std::string& path,
                                                        const std::string& format);

// What qemu-img's description of a disk (JSON) says: its size, or why it is refused.
Result<std::uint64_t> check_description(std::string_view json, const std::string& format);

}  // namespace kiln::cli
