// SPDX-License-Identifier: Apache-2.0
// Two snapshots compared, stored or not.
#include "control/disk_diffs.h"

#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

constexpr std::uint64_t kBlock = 512 << 10;
constexpr std::uint64_t kChunks = 8;  // of 64 KiB, in one block

class Diffs {
  public:
    explicit Diffs(TestService& service)
        : exports_(*service.parts, [&service] { service.jobs->poke(); }),
          diffs_(*service.parts, exports_, [&service] { service.jobs->poke(); }) {}
    Result<DiskDiff> page(const std::string& from, const std::string& to, std::uint64_t offset = 0,
                          const Caller& caller = kAlice) {
        return diffs_.page(caller, from, to, offset);
    }
    // Blocks that differ.
    std::vector<std::uint64_t> blocks(const model::SnapshotId& from, const model::SnapshotId& to) {
        std::vector<std::uint64_t> found;
        std::optional<std::uint64_t> next = 0;
        while (next) {
            const auto diff = page(from.str(), to.str(), *next);
            REQUIRE_MESSAGE(diff.has_value(), (diff ? "" : diff.error().to_string()));
            CHECK(diff->block_bytes == kBlock);
            for (const block::DataRange& range : diff->ranges) {
                CHECK(range.offset % kBlock == 0);
                CHECK(range.length % kBlock == 0);
                for (std::uint64_t at = 0; at < range.length; at += kBlock) {
                    found.push_back((range.offset + at) / kBlock);
                }
            }
            next = diff->next;
        }
        CHECK(std::ranges::is_sorted(found));
        return found;
    }

  private:
    DiskExports exports_;
    DiskDiffs diffs_;
};

using Blocks = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("SNP-24: blocks that differ are the same ones whether snapshots are stored or not") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    const auto volume = service.add_volume();
    service.open(volume);
    service.write(volume, 0, "a");
    service.write(volume, kChunks, "b");
    service.write(volume, 4 * kChunks, "c");
    const auto first = service.snapshot(volume);
    service.write(volume, 0, "a");  // written again, and the same
    service.write(volume, kChunks + 1, "more");
    service.write(volume, 2 * kChunks, "new");
    REQUIRE(service.engine->zero(block_id(volume), 4 * kBlock, kBlock, soon()));
    service.write(volume, 2047 * kChunks, "last");
    const auto second = service.snapshot(volume);
    const auto wide = service.add_volume(2, service.row(second).content);
    service.open(wide);
    service.write(wide, 4000 * kChunks, "behind");
    const auto third = service.snapshot(wide);

    Diffs diffs(service);
    const auto check = [&] {
        CHECK(diffs.blocks(first, second) == Blocks{1, 2, 4, 2047});
        CHECK(diffs.blocks(second, first) == Blocks{1, 2, 4, 2047});
        CHECK(diffs.blocks(first, first).empty());
        CHECK(diffs.blocks(second, third) == Blocks{4000});
        CHECK(diffs.blocks(third, first) == Blocks{1, 2, 4, 2047, 4000});
        const auto page = diffs.page(first.str(), third.str(), 2 * kBlock);
        REQUIRE(page);
        CHECK(page->from_bytes == kGiB);
        CHECK(page->to_bytes == 2 * kGiB);
        CHECK(page->ranges.front() == block::DataRange{2 * kBlock, kBlock});
    };
    CHECK(service.row(service.row(first).content).state == model::ContentState::layered);
    check();
    service.start_jobs();
    service.wait_rooted(service.row(first).content);
    check();
    service.wait_rooted(service.row(third).content);
    check();

    CHECK(diffs.page(first.str(), "snap-0123456789abcdef0").error().api_code() ==
          "InvalidSnapshot.NotFound");
    CHECK(diffs.page(first.str(), second.str(), 0, kBob).error().api_code() ==
          "InvalidSnapshot.NotFound");
    CHECK(diffs.page("vol-1", second.str()).error().api_code() == "InvalidParameterValue");
    CHECK(diffs.page(first.str(), second.str(), 5).error().api_code() == "InvalidParameterValue");
}
