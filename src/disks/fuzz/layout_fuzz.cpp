// SPDX-License-Identifier: Apache-2.0
// Fuzz target: partition tables and FAT file systems of hostile disks. Whatever they say, nothing
// outside the disk is read, and not for long.
#include "disks/tests/sector_disk.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    disks::testing::SectorDisk disk(ByteView(data, size));
    const auto layout = disks::read_layout(disks::testing::SectorDisk::kBytes, disk.reader());
    INVARIANT(layout);
    INVARIANT(disk.reads() < 25'000);
    const disks::BootFacts facts = disks::boot_facts(*layout);
    INVARIANT(facts.boot_mode.empty() || layout->scheme != disks::DiskLayout::Scheme::none);
    INVARIANT(!disks::describe_layout(*layout).empty());
    return 0;
}
