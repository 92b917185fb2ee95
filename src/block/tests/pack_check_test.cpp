// SPDX-License-Identifier: Apache-2.0
// A pack by itself: a whole one, and that no byte of one can change unnoticed.
#include "block/image/pack_check.h"

#include <doctest/doctest.h>

#include "block/tests/image_support.h"

using namespace kiln;
using namespace kiln::block;

namespace {

constexpr char kStore[] = "store";

PackId some_pack() {
    PackId id;
    id.bytes.fill(7);
    return id;
}

Bytes make_pack(int entries) {
    PackHeader header;
    header.store_uuid = kStore;
    header.pack = some_pack();
    PackBuilder builder(header);
    for (int i = 0; i < entries; ++i) {
        const Bytes plain(300 + static_cast<std::size_t>(i), static_cast<std::uint8_t>(i + 1));
        PackEntry entry;
        entry.id = plain_id(plain);
        entry.stored_bytes = entry.plain_bytes = static_cast<std::uint32_t>(plain.size());
        builder.add(entry, encode_entry(entry, plain));
    }
    return builder.finish();
}

bool whole(const PackReport& report) {
    return report.footer && report.problems.empty() && report.bad.empty() && report.more == 0;
}

}  // namespace

TEST_CASE("a whole pack has nothing to tell") {
    const Bytes pack = make_pack(5);
    const PackReport report = check_pack(pack, kStore, some_pack());
    CHECK(whole(report));
    CHECK(report.footer->entries.size() == 5);
}

TEST_CASE("INT-4: no byte of a pack changes unnoticed") {
    const Bytes good = make_pack(3);
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (const std::uint8_t mask : {1, 0x80}) {
            Bytes pack = good;
            pack[at] ^= mask;
            const PackReport report = check_pack(pack, kStore, some_pack());
            CAPTURE(at);
            REQUIRE(!report.problems.empty());
            // An entry that does not open is the one that holds the byte.
            for (const PackEntry& entry : report.bad) {
                REQUIRE(entry.offset <= at);
                REQUIRE(at < entry.offset + kEntryHeaderBytes + entry.stored_bytes);
            }
        }
    }
}

TEST_CASE(
    "a pack that is cut short, longer, another one or of another store "
    "is told") {
    const Bytes good = make_pack(3);
    for (std::size_t length = 0; length < good.size(); length += 37) {
        CHECK_FALSE(whole(check_pack(ByteView(good).first(length), kStore, some_pack())));
    }
    Bytes longer = good;
    longer.push_back(0);
    CHECK_FALSE(whole(check_pack(longer, kStore, some_pack())));
    CHECK_FALSE(whole(check_pack(good, "other", some_pack())));
    CHECK_FALSE(whole(check_pack(good, kStore, PackId())));
}

TEST_CASE("so many damaged entries are counted, not listed") {
    constexpr int kEntries = 130;
    Bytes pack = make_pack(kEntries);
    const PackReport before = check_pack(pack, kStore, some_pack());
    for (const PackEntry& entry : before.footer->entries) {
        pack[entry.offset + kEntryHeaderBytes] ^= 1;
    }
    const PackReport report = check_pack(pack, kStore, some_pack());
    CHECK(report.bad.size() == kEntries);
    CHECK(report.problems.size() == kMaxPackProblems);
    CHECK(report.more == kEntries - kMaxPackProblems);
}
