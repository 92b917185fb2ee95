// SPDX-License-Identifier: Apache-2.0
// What is found out about disks that real tools made, and about broken ones.
#include "disks/layout.h"

#include <doctest/doctest.h>

#include "disks/fat_directory.h"
#include "disks/tests/corpus_disk.h"

using namespace kiln;
using namespace kiln::disks;
using testing::SectorDisk;

namespace {

SectorDisk load(const std::string& name) {
    return testing::corpus_disk("layout", name);
}

std::string look(SectorDisk disk, std::uint64_t size = SectorDisk::kBytes) {
    const auto layout = read_layout(size, disk.reader());
    REQUIRE(layout);
    const BootFacts facts = boot_facts(*layout);
    return describe_layout(*layout) + " -> " + facts.architecture + " " + facts.boot_mode;
}

}  // namespace

TEST_CASE("disks of real tools tell how they boot") {
    CHECK(look(load("gpt-fat16-x64")) ==
          "GPT, EFI partition, EFI loader for x86_64 -> x86_64 uefi");
    CHECK(look(load("gpt-fat32-x64-code")) ==
          "GPT, boot code, EFI partition, EFI loader for x86_64 -> x86_64 uefi-preferred");
    CHECK(look(load("gpt-fat12-arm64")) ==
          "GPT, EFI partition, EFI loader for arm64 -> arm64 uefi");
    CHECK(look(load("gpt-fat16-both")) ==
          "GPT, EFI partition, EFI loader for x86_64, EFI loader for arm64 ->  uefi");
    CHECK(look(load("gpt-no-loader")) == "GPT, EFI partition ->  ");
    CHECK(look(load("mbr-code")) == "MBR, boot code -> x86_64 legacy-bios");
    CHECK(look(load("mbr-no-code")) == "MBR ->  ");
    CHECK(look(load("mbr-efi-x64-code")) ==
          "MBR, boot code, EFI partition, EFI loader for x86_64 -> x86_64 uefi-preferred");
}

TEST_CASE("a file system without partitions, an empty disk and a tiny one tell nothing") {
    CHECK(look(load("fat-no-partitions")) == "no partition table ->  ");
    CHECK(look(SectorDisk(ByteView{})) == "no partition table ->  ");
    CHECK(look(load("gpt-fat16-x64"), 0) == "no partition table ->  ");
    CHECK(look(load("gpt-fat16-x64"), 511) == "no partition table ->  ");
}

TEST_CASE("a partition table that goes beyond the disk leads nowhere") {
    // The reader's own check stops what reads outside.
    CHECK(look(load("gpt-fat16-x64"), 513) == "MBR ->  ");
    CHECK(look(load("gpt-fat16-x64"), 1 << 20) == "GPT ->  ");
    SectorDisk far = load("gpt-fat16-x64");
    put_le<std::uint64_t>(&far.sector(1)[72], ~std::uint64_t{0});
    CHECK(look(far) == "MBR ->  ");
    SectorDisk many = load("gpt-fat16-x64");
    put_le<std::uint32_t>(&many.sector(1)[80], ~0U);
    CHECK(look(many) == "GPT, EFI partition, EFI loader for x86_64 -> x86_64 uefi");
    SectorDisk thin = load("gpt-fat16-x64");
    put_le<std::uint32_t>(&thin.sector(1)[84], 0);
    CHECK(look(thin) == "MBR ->  ");
    SectorDisk backwards = load("gpt-fat16-x64");
    put_le<std::uint64_t>(&backwards.sector(2)[40], 1);
    CHECK(look(backwards) == "GPT ->  ");
    SectorDisk wide = load("mbr-efi-x64-code");
    put_le<std::uint32_t>(&wide.sector(0)[446 + 12], ~0U);
    CHECK(look(wide) == "MBR, boot code -> x86_64 legacy-bios");
}

TEST_CASE("a file system with impossible sizes holds nothing") {
    const std::string nothing = "GPT, EFI partition ->  ";
    const auto change = [](std::size_t at, std::uint8_t value) {
        SectorDisk disk = load("gpt-fat16-x64");
        disk.sector(2048)[at] = value;
        return look(disk);
    };
    CHECK(change(12, 0) == nothing);  // bytes per sector
    CHECK(change(12, 3) == nothing);
    CHECK(change(13, 0) == nothing);  // sectors per cluster
    CHECK(change(13, 3) == nothing);
    CHECK(change(15, 0xff) == nothing);  // reserved sectors
    CHECK(change(16, 0) == nothing);     // tables
    CHECK(change(16, 255) == nothing);
    CHECK(change(35, 0xff) == nothing);  // sectors
    CHECK(change(510, 0) == nothing);    // signature
}

TEST_CASE("a chain of clusters that bites its tail ends") {
    SectorDisk disk = load("gpt-fat32-x64-code");
    // The root's chain: cluster 2 follows on cluster 2.
    const auto reserved = get_le<std::uint16_t>(&disk.sector(2048)[14]);
    put_le<std::uint32_t>(&disk.sector(2048U + reserved)[8], 2);
    // Its directory is found all the same, but nothing is left to read for what lies below.
    CHECK(look(disk) == "GPT, boot code, EFI partition -> x86_64 legacy-bios");
    const auto layout = read_layout(SectorDisk::kBytes, disk.reader());
    REQUIRE(layout);
    CHECK(disk.reads() < 10'000);
}

TEST_CASE("what cannot be read is an error, not a disk without partitions") {
    const auto layout = read_layout(1 << 20, [](std::uint64_t, MutableByteView) -> Status {
        return Error(Code::io_error, "no");
    });
    CHECK(layout.error().code() == Code::io_error);
}
