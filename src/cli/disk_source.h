// SPDX-License-Identifier: Apache-2.0
// DiskSource: a disk to be imported, as its data and its zeros: a raw file directly, other formats
// through QEMU's own tools in a sandbox (D22). The format is told by the file's own mark or by the
// user, and never left to a prober, which a hostile raw disk could fool.
//
// Errors: invalid_argument for a file that is not what it should be, or refers to others.
// Thread model: one owner thread, blocking.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "util/bytes.h"
#include "util/result.h"

namespace kiln::cli {

struct DiskExtent {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

class DiskSource {
  public:
    virtual ~DiskSource() = default;
    virtual std::uint64_t size_bytes() const = 0;
    // What may hold data, ascending; the rest is zeros. Offsets and lengths are multiples of 4096,
    // but for the end of the disk.
    virtual Result<std::vector<DiskExtent>> extents() = 0;
    virtual Status read(std::uint64_t offset, MutableByteView into) = 0;
};

// raw, qcow2, vmdk, vpc (VHD) or vhdx; empty: by the file's mark.
Result<std::unique_ptr<DiskSource>> open_disk(const std::string& path, const std::string& format);

// The format by its mark; "raw" when there is none. Looks at the first and the last 512 bytes.
Result<std::string> detect_format(const std::string& path);

// Extents rounded to 4096 bytes, merged where they meet.
std::vector<DiskExtent> align_extents(std::vector<DiskExtent> extents, std::uint64_t size_bytes);

}  // namespace kiln::cli
