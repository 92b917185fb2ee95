// SPDX-License-Identifier: Apache-2.0
// S73: a thousand snapshots of one volume, the newest of them not stored: that the volume stands on
// few layers, that every snapshot keeps its bytes, and what waits when too many are not stored.
#include <atomic>
#include <random>

#include "control/contents.h"
#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

constexpr unsigned kSnapshots = 1000;
constexpr unsigned kUndestaged = 64;  // Settings
constexpr unsigned kPending = 5;      // SNP-9
constexpr unsigned kStored = kSnapshots - kUndestaged - kPending;
constexpr std::uint64_t kBytes = 2U << 20;
constexpr std::size_t kMostLayers = 200;

// A volume, what it is to hold, and what some of its snapshots are.
struct Lineage {
    std::mt19937_64 random{73};
    model::VolumeId volume;
    Bytes truth = Bytes(kBytes, 0);
    std::map<unsigned, std::pair<model::SnapshotId, Bytes>> samples;
    unsigned made = 0;

    void write(TestService& service) {
        for (int i = 0; i < 3; ++i) {
            const std::uint64_t offset = random() % kBytes;
            Bytes data(1 + random() % std::min<std::uint64_t>(9000, kBytes - offset));
            std::ranges::generate(data, [&] { return static_cast<std::uint8_t>(random()); });
            std::ranges::copy(data, truth.begin() + static_cast<std::ptrdiff_t>(offset));
            REQUIRE(service.engine->write(block_id(volume), offset, data, soon()));
        }
    }
    // Nothing: refused for now.
    std::optional<model::SnapshotId> snapshot(TestService& service) {
        CreateSnapshotInput input;
        input.volume_id = volume;
        const auto created = service.snapshots->create(kAlice, input);
        if (!created) {
            CHECK(created.error().api_code() == "ConcurrentSnapshotLimitExceeded");
            return {};
        }
        const auto id = created->snapshot.id;
        if (made == 0 || made == kStored / 2 || made + 1 == kStored || made == kStored + 30 ||
            made + 1 == kSnapshots) {
            samples[made] = {id, truth};
        }
        ++made;
        return id;
    }
    void check_volume(TestService& service) const {
        const auto bytes = service.engine->read(block_id(volume), 0, kBytes, soon());
        REQUIRE(bytes);
        CHECK(*bytes == truth);
    }
    void check_samples(TestService& service) const {
        for (const auto& entry : samples) {
            const auto& sample = entry.second;
            CAPTURE(entry.first);
            const block::VolumeId look("look");
            const auto content = service.row(sample.first).content;
            REQUIRE(service.engine->open_content(look, block_id(content), soon()));
            const auto bytes = service.engine->read(look, 0, kBytes, soon());
            REQUIRE(bytes);
            CHECK(*bytes == sample.second);
            const auto behind = service.engine->find_data(look, kBytes, 10, soon());
            REQUIRE(behind);
            CHECK(behind->ranges.empty());
            REQUIRE(service.engine->close_volume(look, soon()));
        }
    }
    // What the volume stands on, by the catalog: its active layer and those below.
    std::size_t layers(TestService& service) const {
        const auto base = service.row(volume).base_content;
        const auto chain =
            service.store->read([&](catalog::Transaction& tx) { return content_chain(tx, base); });
        REQUIRE(chain);
        std::size_t count = 1;
        for (const model::Content& content : *chain) {
            count += layers_of(content).size();
        }
        return count;
    }
};

void wait_stored(TestService& service, const Lineage& lineage) {
    service.wait_rooted(service.row(lineage.volume).base_content);
    service.wait_until([&] { return service.engine->list_layers()->size() <= kMostCopyLayers + 1; },
                       "the layers are few");
}

}  // namespace

TEST_CASE("S73: a thousand snapshots of a volume, the newest 64 not stored, over two restarts" *
          doctest::test_suite("slow")) {
    TempDir dir;
    Lineage lineage;
    {
        TestService service(dir.path(), {.inject_retry_percent = 0});
        service.recover();
        service.start_jobs();
        lineage.volume = service.add_volume();
        service.open(lineage.volume);
        std::size_t most = 0;
        while (lineage.made < kStored) {
            lineage.write(service);
            service.wait_until([&] { return lineage.snapshot(service).has_value(); },
                               "a snapshot is let in");
            most = std::max(most, lineage.layers(service));
        }
        MESSAGE("at most " << most << " layers while " << kStored << " snapshots were made");
        CHECK(most <= kMostLayers);
        wait_stored(service, lineage);
        lineage.check_volume(service);
        lineage.check_samples(service);
    }
    {
        // Nothing is stored from here on.
        TestService service(dir.path(), {.inject_retry_percent = 0});
        service.recover();
        service.open(lineage.volume);
        lineage.check_volume(service);
        for (unsigned i = 0; i < kUndestaged + kPending; ++i) {
            lineage.write(service);
            const auto id = lineage.snapshot(service);
            REQUIRE(id);
            CHECK(service.row(*id).state == (i < kUndestaged ? model::SnapshotState::completed
                                                             : model::SnapshotState::pending));
        }
        CHECK(!lineage.snapshot(service));
        lineage.write(service);
        CHECK(lineage.layers(service) <= kMostCopyLayers + 1 + kUndestaged + kPending);
        lineage.check_volume(service);
        lineage.check_samples(service);
    }
    TestService service(dir.path(), {.inject_retry_percent = 0});
    service.recover();
    service.open(lineage.volume);
    lineage.check_volume(service);
    lineage.check_samples(service);
    service.start_jobs();
    wait_stored(service, lineage);
    CHECK(service.row(lineage.samples.at(kSnapshots - 1).first).state ==
          model::SnapshotState::completed);
    CHECK(lineage.snapshot(service));
    lineage.check_volume(service);
    lineage.check_samples(service);
}

TEST_CASE("S73: of a long chain that is stored at once only the newest layers are kept" *
          doctest::test_suite("slow")) {
    constexpr unsigned kCuts = 180;
    std::atomic<std::size_t> most = 0;  // as it became rooted, before layers are merged
    TempDir dir;
    TestService service(dir.path(), {.max_undestaged_layers = 300, .inject_retry_percent = 0});
    service.recover();
    Lineage lineage;
    lineage.volume = service.add_volume();
    service.open(lineage.volume);
    for (unsigned i = 0; i < kCuts; ++i) {
        lineage.write(service);
        const auto id = lineage.snapshot(service);
        REQUIRE(id);
        if (i + 1 < kCuts) {
            REQUIRE(service.snapshots->remove(kAlice, *id, false));
        }
    }
    lineage.samples.clear();
    CHECK(lineage.layers(service) == kCuts + 1);
    const auto content = service.row(lineage.volume).base_content;
    service.store->after = [&most, &service, content] {
        const std::size_t spares = service.row(content).spares.size();
        most = std::max(most.load(), spares);
    };
    service.start_jobs();
    wait_stored(service, lineage);
    CHECK(most == kMostSpares);
    lineage.check_volume(service);
}

TEST_CASE("S73: deleting snapshots that wait lets no more layers in") {
    TempDir dir;
    TestService service(dir.path(), {.max_undestaged_layers = 2, .inject_retry_percent = 0});
    service.recover();
    Lineage lineage;
    lineage.volume = service.add_volume();
    service.open(lineage.volume);
    unsigned let_in = 0;
    for (; let_in < 20; ++let_in) {
        lineage.write(service);
        const auto id = lineage.snapshot(service);
        if (!id) {
            break;
        }
        REQUIRE(service.snapshots->remove(kAlice, *id, false));
    }
    CHECK(let_in == 2 + kPending);
    service.start_jobs();
    service.wait_rooted(service.row(lineage.volume).base_content);
    CHECK(lineage.snapshot(service));
    lineage.check_volume(service);
}
