// SPDX-License-Identifier: Apache-2.0
// DiskTarget: a disk file that is being written, data only: what is not written reads as zeros and
// takes no room. Raw files are written directly, qcow2 through QEMU's own tools in a sandbox, in
// one pass and without a second copy.
//
// Errors: out_of_space and io_error; invalid_argument for a size that the file system does not
// take. Thread model: one owner thread, blocking.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cli/output_file.h"
#include "util/bytes.h"
#include "util/result.h"

namespace kiln::cli {

class DiskTarget {
  public:
    virtual ~DiskTarget() = default;
    virtual Status write(std::uint64_t offset, ByteView data) = 0;
    // After the last write; the file is complete then.
    virtual Status finish() = 0;
};

// raw or qcow2. `file` and `guard` outlive the target.
Result<std::unique_ptr<DiskTarget>> make_disk(OutputFile& file, const std::string& format,
                                              std::uint64_t size_bytes, InterruptGuard& guard);

}  // namespace kiln::cli
