// SPDX-License-Identifier: Apache-2.0
// Fuzz target: partition tables and FAT file systems of hostile disks. Whatever they say, nothing
// outside the disk is read, and not for long.
#include "cli/tests/sector_disk.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    cli::testing::SectorDisk disk(ByteView(data, size));
    const auto layout = cli::read_layout(cli::testing::SectorDisk::kBytes, disk.reader());
    INVARIANT(layout);
    INVARIANT(disk.reads() < 25'000);
    const cli::BootFacts facts = cli::boot_facts(*layout);
    INVARIANT(facts.boot_mode.empty() || layout->scheme != cli::DiskLayout::Scheme::none);
    INVARIANT(!cli::describe_layout(*layout).empty());
    return 0;
}
