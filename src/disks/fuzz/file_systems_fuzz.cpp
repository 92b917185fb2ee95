// SPDX-License-Identifier: Apache-2.0
// Fuzz target: file systems as the reader in its sandbox examines them, libext2fs included. Nothing
// outside the disk is read, and what is found is fit to be told. XFS goes no further than its mark:
// libfsxfs corrupts its memory over damaged file systems, which is what the sandbox is for
// (docs/internals/disks.md).
#include "disks/file_system.h"
#include "disks/tests/sector_disk.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    disks::testing::SectorDisk disk(ByteView(data, size));
    std::size_t left = 20'000;  // as the reader's pages end at some time
    const disks::ReadAt inner = disk.reader();
    constexpr std::uint64_t kBytes = disks::testing::SectorDisk::kBytes;
    const disks::ReadAt read = [&left, &inner](std::uint64_t offset,
                                               MutableByteView into) -> Status {
        if (left == 0 || offset > kBytes || into.size() > kBytes - offset) {
            return Error(Code::io_error, "no more");
        }
        --left;
        return inner(offset, into);
    };
    const auto probed = disks::probe_file_system(kBytes, read);
    INVARIANT(probed);
    if (probed->type == "xfs") {
        return 0;
    }
    const auto findings = disks::examine(kBytes, read);
    INVARIANT(disks::decode_findings(disks::encode_findings({findings}), 1));
    INVARIANT(!findings.system || findings.read);
    return 0;
}
