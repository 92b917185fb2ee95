// SPDX-License-Identifier: Apache-2.0
// Check sums of the data of sealed layers: golden bytes, limits, and what damage does to them.
#include <doctest/doctest.h>

#include "block/tests/data_crc_support.h"
#include "util/crc32c.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

DataCrcHeader sample() {
    return {.store_uuid = "store", .volume_id = "vol-1", .layer_id = "l-1", .size_bytes = 1 << 20};
}

}  // namespace

TEST_CASE("the header and the pages of check sums have the golden bytes; any change is noticed") {
    const Bytes header = encode_data_crc_header(sample());
    CHECK(*decode_data_crc_header(header) == sample());
    Bytes page(kDataCrcPageBytes, 0);
    for (std::uint64_t block = 2 * kPage; block < 3 * kPage; block += 3) {
        put_data_crc(page, block, static_cast<std::uint32_t>(block * 2654435761U));
    }
    finish_data_crc_page(page, data_crc_seed(header), 2);
    CHECK(check_data_crc_page(page, data_crc_seed(header), 2));
    CHECK(get_data_crc(page, 2 * kPage + 3) ==
          static_cast<std::uint32_t>((2 * kPage + 3) * 2654435761U));
    Bytes all = header;
    all.insert(all.end(), page.begin(), page.end());
    check_golden("data-crc-v1.bin", all);
    // Of another place, or of another layer.
    CHECK(!check_data_crc_page(page, data_crc_seed(header), 3));
    CHECK(!check_data_crc_page(page, data_crc_seed(header) + 1, 2));
    CHECK(!check_data_crc_page(ByteView(page).first(4095), data_crc_seed(header), 2));
    CHECK(!check_data_crc_page(Bytes(kDataCrcPageBytes, 0), data_crc_seed(header), 2));
    for (std::size_t at = 0; at < kDataCrcPageBytes; ++at) {
        Bytes changed = header;
        changed[at] ^= 1;
        const auto decoded = decode_data_crc_header(changed);
        REQUIRE(!decoded);
        CHECK(decoded.error().code() == Code::data_loss);
        changed = page;
        changed[at] ^= 0x80;
        REQUIRE(!check_data_crc_page(changed, data_crc_seed(header), 2));
    }
}

TEST_CASE("a header of check sums with fields that cannot be is refused, whatever its crc") {
    const auto refused = [](std::size_t at, std::uint8_t value) {
        Bytes bytes = encode_data_crc_header(sample());
        bytes[at] = value;
        std::memset(&bytes[12], 0, 4);
        put_le(&bytes[12], crc32c(bytes));
        const auto decoded = decode_data_crc_header(bytes);
        return decoded ? Code::internal : decoded.error().code();
    };
    CHECK(refused(8, 2) == Code::unsupported);
    CHECK(refused(10, 1) == Code::data_loss);     // flags
    CHECK(refused(120, 'A') == Code::data_loss);  // no layer id
    CHECK(refused(184, 1) == Code::data_loss);    // half a block
    CHECK(refused(192, 0) == Code::data_loss);    // blocks of a page
    CHECK(refused(4095, 1) == Code::data_loss);
}

TEST_CASE("a layer of version 1 with check sums of its data opens for ever") {
    const std::string golden = KILN_BLOCK_TEST_DATA "/layer-v1-data-crc";
    constexpr std::uint64_t kGoldenBytes = 300 * kBlockBytes;
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    if (std::getenv("GOLDEN_ACCEPT") != nullptr) {
        std::filesystem::remove_all(golden);
        std::filesystem::create_directories(golden);
        TestStore writer(reactor, golden);
        auto layer = writer.open_active("l-golden", kGoldenBytes);
        REQUIRE(layer);
        CHECK(sync.write(**layer, {1, 2}, 'a'));
        CHECK(sync.zero(**layer, {2, 5}));
        CHECK(sync.write(**layer, {290, 10}, 'c'));
        CHECK(sync.seal(**layer));
        CHECK(sync.close(**layer));
        layer = writer.open_sealed("l-golden", kGoldenBytes);
        REQUIRE(layer);
        CHECK(reactor.await<void>([&](Done done) {
            (void)DataCrcMaker::start(writer.context, LayerId("l-golden"), *layer, std::move(done));
        }));
        CHECK(sync.close(**layer));
    }
    copy_files(golden, dir / "copy");
    TestStore store(reactor, dir / "copy");
    const auto read = [&](std::uint64_t block) -> Result<int> {
        TRY_ASSIGN(const auto layer, store.open_sealed("l-golden", kGoldenBytes));
        auto value = sync.read(*layer, block);
        CHECK(sync.close(*layer));
        return value;
    };
    CHECK(*read(1) == 'a');
    CHECK(*read(299) == 'c');
    flip_byte(dir / "copy/d-l-golden-0000.blk", kBlockBytes + 17);
    CHECK(read(1).error().code() == Code::data_loss);
    CHECK(*read(299) == 'c');
}
