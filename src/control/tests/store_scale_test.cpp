// SPDX-License-Identifier: Apache-2.0
// S70: a store with 10,000 volumes and 100,000 snapshots: what an opening, a snapshot, a
// description, a run of garbage collection and a start take then is printed. Judged is only that
// they do what they do in a small one: figures of a busy machine say nothing.
#include "control/tests/test_service.h"
#include "control/volumes.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // takes minutes and shows nothing that smaller tests do not
#else
constexpr bool kSanitized = false;
#endif

constexpr unsigned kVolumes = 10'000;
constexpr unsigned kSnapshots = 100'000;
constexpr unsigned kTrees = 20;

template <class Id>
Id numbered(const char* prefix, unsigned n) {
    const std::string number = std::to_string(n);
    return Id(prefix + std::string(17 - number.size(), '0') + number);
}

// Each with a content of its own, which is one of a few trees.
Status add_snapshots(catalog::Transaction& tx, const std::vector<std::string>& roots) {
    for (unsigned n = 0; n < kSnapshots; ++n) {
        model::Content content;
        content.id = numbered<model::ContentId>("content-", n);
        content.state = model::ContentState::rooted;
        content.root_digest = roots[n % roots.size()];
        content.size_bytes = kGiB;
        content.created = UnixMillis{n};
        TRY(tx.contents().insert(content));
        model::Snapshot snapshot;
        snapshot.id = numbered<model::SnapshotId>("snap-", n);
        snapshot.owner_id = kAlice.account;
        snapshot.region = kAlice.region;
        snapshot.state = model::SnapshotState::completed;
        snapshot.progress_percent = 100;
        snapshot.volume_id = numbered<model::VolumeId>("vol-", n % kVolumes);
        snapshot.volume_size_gib = 1;
        snapshot.content = content.id;
        snapshot.created = UnixMillis{n};
        snapshot.completed = UnixMillis{n};
        TRY(tx.snapshots().insert(snapshot));
    }
    return ok();
}

Status add_volumes(catalog::Transaction& tx) {
    for (unsigned n = 0; n < kVolumes; ++n) {
        model::LayerRecord layer;
        layer.id = numbered<model::LayerId>("layer-", n);
        layer.size_bytes = kGiB;
        layer.created = UnixMillis{n};
        TRY(tx.layers().insert(layer));
        model::Volume volume;
        volume.id = numbered<model::VolumeId>("vol-", n);
        volume.owner_id = kAlice.account;
        volume.region = kAlice.region;
        volume.state = model::VolumeState::available;
        volume.size_gib = 1;
        volume.base_content = numbered<model::ContentId>("content-", n);
        volume.active_layer = layer.id;
        volume.created = layer.created;
        TRY(tx.volumes().insert(volume));
    }
    return ok();
}

template <class Work>
void timed(const std::string& what, Work work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    MESSAGE(what << ": " << took.count() << " ms");
}

// The fastest of several.
template <class Work>
void fastest(const std::string& what, Work work) {
    double least = 1e9;
    for (int run = 0; run < 5; ++run) {
        const auto begin = std::chrono::steady_clock::now();
        work(run);
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - begin;
        least = std::min(least, took.count());
    }
    MESSAGE(what << ": " << least << " ms");
}

}  // namespace

TEST_CASE("a store with 10,000 volumes and 100,000 snapshots does what a small one does" *
          doctest::test_suite("slow")) {
    if (kSanitized) {
        MESSAGE("skipped: built with a sanitizer");
        return;
    }
    TempDir dir;
    model::VolumeId made;
    {
        TestService service(dir.path(), {.inject_retry_percent = 0});
        service.recover();
        service.start_jobs();
        const auto volume = service.add_volume();
        service.open(volume);
        made = volume;
        std::vector<std::string> roots;
        for (unsigned n = 0; n < kTrees; ++n) {
            service.write(volume, n, "tree " + std::to_string(n));
            const auto content = service.row(service.snapshot(volume)).content;
            service.wait_rooted(content);
            roots.push_back(service.row(content).root_digest);
        }
        timed("adding the rows", [&] {
            REQUIRE(service.store->run(
                [&](catalog::Transaction& tx) { return add_snapshots(tx, roots); }));
            REQUIRE(service.store->run(add_volumes));
        });
    }
    std::unique_ptr<TestService> service;
    timed("a start", [&] {
        service = std::make_unique<TestService>(dir.path(),
                                                TestService::Options{.inject_retry_percent = 0});
        service->recover();
        service->start_jobs();
    });
    const auto opened = [](unsigned n) { return numbered<model::VolumeId>("vol-", 100 + n); };
    fastest("opening a volume", [&](unsigned n) { service->open(opened(n)); });
    CHECK(service->read(opened(0), 0) == "tree 0");
    fastest("a snapshot", [&](unsigned n) { service->snapshot(opened(n)); });
    const auto describe = [&](DescribeSnapshotsInput input, std::size_t expected) {
        const auto page = service->snapshots->describe(kAlice, input);
        REQUIRE(page);
        CHECK(page->items.size() == expected);
    };
    DescribeSnapshotsInput by_id;
    by_id.ids = {numbered<model::SnapshotId>("snap-", 50'000)};
    fastest("describing one snapshot", [&](unsigned) { describe(by_id, 1); });
    DescribeSnapshotsInput a_page;
    a_page.page.max_results = 100;
    fastest("describing a page of 100", [&](unsigned) { describe(a_page, 100); });
    Volumes volumes(*service->parts, *service->volumes, [] {});
    DescribeVolumesInput some;
    some.page.max_results = 100;
    fastest("describing a page of 100 volumes", [&](unsigned) {
        const auto page = volumes.describe(kAlice, some);
        REQUIRE(page);
        CHECK(page->items.size() == 100);
    });
    // Every page, and every page of those that a filter leaves.
    const auto all_pages = [&](DescribeVolumesInput input) {
        std::set<model::VolumeId> seen;
        std::size_t shown = 0;
        do {
            const auto page = volumes.describe(kAlice, input);
            REQUIRE(page);
            CHECK(page->items.size() <= 499);
            shown += page->items.size();
            for (const VolumeView& view : page->items) {
                seen.insert(view.volume.id);
            }
            input.page.next_token = page->next_token;
        } while (!input.page.next_token.empty());
        CHECK(seen.size() == shown);
        return shown;
    };
    some.page.max_results = 499;
    timed("describing all volumes, 499 a page", [&] { CHECK(all_pages(some) == kVolumes + 1); });
    some.filters = {{"volume-id", {"vol-*7"}}};
    const std::size_t ends_with_seven = kVolumes / 10 + (made.str().back() == '7' ? 1 : 0);
    timed("describing a tenth of them, by a filter",
          [&] { CHECK(all_pages(some) == ends_with_seven); });
    timed("a run of garbage collection",
          [&] { CHECK(service->collect_garbage().packs_compacted == 0); });
    const auto deleted = numbered<model::SnapshotId>("snap-", 60'000);
    timed("deleting a snapshot",
          [&] { CHECK(service->snapshots->remove(kAlice, deleted, false)); });
}
