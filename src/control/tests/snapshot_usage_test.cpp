// SPDX-License-Identifier: Apache-2.0
// What is said of a snapshot's size.
#include "control/snapshot_usage.h"

#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

constexpr std::uint64_t kBlock = 512 << 10;
constexpr std::uint64_t kChunks = 8;  // of 64 KiB, in one block

SnapshotUsage usage(TestService& service, const model::SnapshotId& id) {
    const auto found = usage_of(*service.parts, service.row(id));
    REQUIRE_MESSAGE(found.has_value(), (found ? "" : found.error().to_string()));
    CHECK(found->full_bytes == found->unique_bytes + found->shared_bytes);
    return *found;
}

model::SnapshotId stored_snapshot(TestService& service, const model::VolumeId& volume) {
    const auto id = service.snapshot(volume);
    service.wait_rooted(service.row(id).content);
    return id;
}

}  // namespace

TEST_CASE("SNP-6: the full size is the allocated blocks, known as soon as a snapshot is stored") {
    TestService::Options options;
    TempDir dir;
    TestService service(dir.path(), options);
    service.recover();
    const auto volume = service.add_volume();
    service.open(volume);
    service.write(volume, 0, "a");
    service.write(volume, 3 * kChunks, "b");
    const auto first = service.snapshot(volume);
    CHECK(!service.row(first).full_size_bytes);
    CHECK(usage_of(*service.parts, service.row(first)).error().code() == Code::failed_precondition);
    service.start_jobs();
    service.wait_rooted(service.row(first).content);
    CHECK(service.row(first).full_size_bytes == 2 * kBlock);

    // One block more, one less, and one that is changed: only what differs is counted.
    service.write(volume, 7 * kChunks + 5, "c");
    REQUIRE(service.engine->zero(block_id(volume), 0, kBlock, soon()));
    service.write(volume, 3 * kChunks + 1, "d");
    const auto second = stored_snapshot(service, volume);
    CHECK(service.row(second).full_size_bytes == 2 * kBlock);
    service.write(volume, 9 * kChunks, "e");
    const auto third = stored_snapshot(service, volume);
    CHECK(service.row(third).full_size_bytes == 3 * kBlock);
    CHECK(usage(service, third).full_bytes == 3 * kBlock);
    CHECK(usage(service, third).logical_bytes == kGiB);

    // Nothing of what it stands on is known to have been counted.
    REQUIRE(service.snapshots->remove(kAlice, third, false));
    service.write(volume, 11 * kChunks, "f");
    const auto fourth = stored_snapshot(service, volume);
    CHECK(service.row(fourth).full_size_bytes == 4 * kBlock);
    // An empty one.
    const auto nothing = service.add_volume();
    service.open(nothing);
    CHECK(service.row(stored_snapshot(service, nothing)).full_size_bytes == 0);
}

TEST_CASE("SNP-23: a block is unique when nothing else of the account has it at that place") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    service.start_jobs();
    const auto volume = service.add_volume();
    service.open(volume);
    service.write(volume, 0, "a");
    service.write(volume, kChunks, "b");
    const auto first = stored_snapshot(service, volume);
    // The volume stands on it.
    CHECK(usage(service, first).unique_bytes == 0);
    CHECK(usage(service, first).shared_bytes == 2 * kBlock);
    service.write(volume, kChunks, "changed");
    service.write(volume, 2 * kChunks, "new");
    const auto second = stored_snapshot(service, volume);
    CHECK(usage(service, first).unique_bytes == kBlock);  // what was changed since
    CHECK(usage(service, first).shared_bytes == kBlock);
    CHECK(usage(service, second).unique_bytes == 0);
    service.remove_volume(volume);
    CHECK(usage(service, second).unique_bytes == 2 * kBlock);
    CHECK(usage(service, second).shared_bytes == kBlock);

    // Equal bytes at another place, or of another account, are nothing to it.
    const auto apart = service.add_volume();
    service.open(apart);
    service.write(apart, 10 * kChunks, "b");
    stored_snapshot(service, apart);
    CHECK(usage(service, first).unique_bytes == kBlock);
    const auto same = service.add_volume();
    service.open(same);
    service.write(same, kChunks, "b");
    const auto of_bob = stored_snapshot(service, same);
    service.remove_volume(same);
    CHECK(usage(service, first).unique_bytes == 0);
    REQUIRE(service.store->run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto row, tx.snapshots().get(of_bob));
        row.owner_id = kBob.account;
        return tx.snapshots().update(row);
    }));
    CHECK(usage(service, first).unique_bytes == kBlock);
    CHECK(usage(service, of_bob).unique_bytes == kBlock);

    REQUIRE(service.snapshots->remove(kAlice, second, false));
    CHECK(usage(service, first).unique_bytes == 2 * kBlock);
}
