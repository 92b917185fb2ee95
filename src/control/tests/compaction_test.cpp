// SPDX-License-Identifier: Apache-2.0
// Garbage collection that empties packs of which little is needed.
#include "control/compaction.h"

#include <filesystem>
#include <fstream>

#include "control/tests/test_service.h"
#include "crypto/hash.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::PackState;

namespace {

constexpr std::uint64_t kBlocks = 40;

std::string word(std::uint64_t block) {
    return "word " + std::to_string(block);
}

struct Contents {
    model::SnapshotId first;   // of all words
    model::SnapshotId second;  // two words of the first, the others gone
    model::ContentId kept;
};

Contents store(TestService& service) {
    Contents made;
    const auto volume = service.add_volume();
    service.open(volume);
    for (std::uint64_t block = 0; block < kBlocks; ++block) {
        service.write(volume, block, word(block));
    }
    made.first = service.snapshot(volume);
    service.wait_rooted(service.row(made.first).content);
    REQUIRE(service.engine->zero(block_id(volume), 2 * 65536, (kBlocks - 2) * 65536, soon()));
    made.second = service.snapshot(volume);
    made.kept = service.row(made.second).content;
    service.wait_rooted(made.kept);
    service.remove_volume(volume);
    return made;
}

void check_kept(TestService& service, const Contents& made) {
    CHECK(service.read(made.kept, 0) == word(0));
    CHECK(service.read(made.kept, 1) == word(1));
    CHECK(service.read(made.kept, 2).empty());
}

std::uint64_t object_bytes(const TestService& service) {
    std::uint64_t sum = 0;
    for (const auto& entry : std::filesystem::directory_iterator(service.directory + "/objects")) {
        sum += entry.file_size();
    }
    return sum;
}

// Turns a bit of the stored bytes of a block with this word.
void damage(TestService& service, const std::string& text) {
    Bytes plain(65536);
    const std::string line = text + "\n";
    for (std::size_t i = 0; i < plain.size(); ++i) {
        plain[i] = static_cast<std::uint8_t>(line[i % line.size()]);
    }
    const auto digest = crypto::sha256(plain);
    const auto places = service.store->read([&](catalog::Transaction& tx) {
        return tx.packs().lookup(Bytes(16, 0), {Bytes(digest.begin(), digest.end())},
                                 {PackState::stored});
    });
    REQUIRE(places);
    REQUIRE(places->size() == 1);
    const std::filesystem::path path =
        service.directory + "/objects/" +
        block::pack_name(service.store->uuid(), block::PackId::from(places->front().pack));
    std::filesystem::permissions(path, std::filesystem::perms::owner_write,
                                 std::filesystem::perm_options::add);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const auto at = static_cast<std::streamoff>(places->front().entry.place) +
                    static_cast<std::streamoff>(block::kEntryHeaderBytes) + 3;
    file.seekg(at);
    const auto was = static_cast<char>(file.get());
    file.seekp(at);
    file.put(static_cast<char>(was ^ 1));
    REQUIRE(file.flush());
}

}  // namespace

TEST_CASE("SPC-4: a pack that is mostly garbage is emptied, and what was needed of it is kept") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    service.start_jobs();
    const Contents made = store(service);
    CHECK(service.collect_garbage().packs_compacted == 0);
    const std::uint64_t before = object_bytes(service);

    REQUIRE(service.snapshots->remove(kAlice, made.first, false));
    const GcReport report = service.collect_garbage();
    CHECK(report.packs_compacted == 1);
    CHECK(report.packs_removed >= report.packs_compacted);
    CHECK(report.bytes_copied > 0);
    CHECK(report.bytes_live > 0);
    CHECK(report.bytes_kept == object_bytes(service));
    CHECK(report.bytes_kept < before / 2);
    CHECK(report.bytes_kept <= 2 * report.bytes_live);
    CHECK(report.packs_kept == service.objects());
    check_kept(service, made);

    const GcReport again = service.collect_garbage();
    CHECK(again.packs_compacted == 0);
    CHECK(again.packs_removed == 0);
    CHECK(again.bytes_kept == report.bytes_kept);
    const auto totals = service.gc->totals();
    REQUIRE(totals);
    CHECK(totals->runs == again.completed);
    CHECK(totals->packs_compacted == 1);
    CHECK(totals->bytes_copied == report.bytes_copied);
    CHECK(totals->bytes_removed >= report.bytes_removed);

    // What was copied serves those that write it again.
    const auto volume = service.add_volume();
    service.open(volume);
    service.write(volume, 0, word(0));
    service.write(volume, 1, word(1));
    const auto snapshot = service.snapshot(volume);
    service.wait_rooted(service.row(snapshot).content);
    CHECK(service.row(service.row(snapshot).content).root_digest ==
          service.row(made.kept).root_digest);
    CHECK(object_bytes(service) == again.bytes_kept);
}

TEST_CASE("SPC-4: damage of what is garbage does not matter") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    service.start_jobs();
    const Contents made = store(service);
    damage(service, word(kBlocks - 1));
    REQUIRE(service.snapshots->remove(kAlice, made.first, false));
    CHECK(service.collect_garbage().packs_compacted == 1);
    check_kept(service, made);
}

TEST_CASE("SPC-4: damage of what is needed keeps the pack, and the rest of the run goes on") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    service.start_jobs();
    const Contents made = store(service);
    damage(service, word(1));
    REQUIRE(service.snapshots->remove(kAlice, made.first, false));
    const GcReport report = service.collect_garbage();
    CHECK(report.packs_compacted == 0);
    CHECK(report.packs_removed > 0);  // the first tree's nodes
    CHECK(service.packs()[PackState::condemned] == 0);
    CHECK(service.read(made.kept, 0) == word(0));
}

TEST_CASE("SPC-4: without a rate nothing is copied, and a slow one is not waited for on request") {
    TempDir dir;
    {
        TestService service(dir.path(), {.compact_bytes_per_second = 0});
        service.recover();
        service.start_jobs();
        const Contents made = store(service);
        REQUIRE(service.snapshots->remove(kAlice, made.first, false));
        const GcReport report = service.collect_garbage();
        CHECK(report.packs_compacted == 0);
        CHECK(report.bytes_live > 0);
        check_kept(service, made);
    }
    TestService service(dir.path(), {.compact_bytes_per_second = 1});
    service.recover();
    service.start_jobs();
    CHECK(service.collect_garbage().packs_compacted == 1);
}

TEST_CASE("SPC-4: a run that waits for its rate ends when the service does") {
    TempDir dir;
    TestService service(dir.path(), {.compact_bytes_per_second = 1});
    service.settings.gc_period = std::chrono::milliseconds(20);
    service.recover();
    service.start_jobs();
    const Contents made = store(service);
    REQUIRE(service.snapshots->remove(kAlice, made.first, false));
    // Everything else condemns in a later step.
    const auto waits = [&] {
        const auto jobs = service.store->read([](catalog::Transaction& tx) {
            catalog::JobQuery query;
            query.kinds = {kGcJob};
            return tx.jobs().list(query);
        });
        REQUIRE(jobs);
        return jobs->at(0).step == "condemn" && service.packs()[PackState::condemned] > 0;
    };
    service.wait_until(waits, "a pack is emptied");
    check_kept(service, made);
    // The destructor does not wait for the hours that the rate asks for.
}
