// SPDX-License-Identifier: Apache-2.0
// Snapshots that are put block by block: what ends them, and blocks whose writing was cut short.
#include "control/snapshot_uploads.h"

#include "control/snapshot_blocks.h"
#include "control/tests/shifted_clock.h"
#include "control/tests/test_service.h"
#include "util/encoding.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

Bytes block_of(std::uint8_t fill) {
    return Bytes(kApiBlockBytes, fill);
}

Bytes digest_of(const Bytes& data) {
    const crypto::Digest256 digest = crypto::sha256(data);
    return Bytes(digest.begin(), digest.end());
}

struct World {
    explicit World(const std::string& where)
        : service(where),
          clock(*service.clock),
          parts{service.parts->store,      service.parts->engine,
                service.parts->hypervisor, clock,
                service.parts->rng,        service.parts->topology,
                service.settings,          service.parts->space},
          uploads(parts, [this] { service.jobs->poke(); }) {
        service.recover();
        uploads.install(*service.jobs);
    }
    model::SnapshotId start(const model::SnapshotId& parent = {}) {
        StartSnapshotInput input;
        input.volume_size_gib = 1;
        input.timeout_minutes = 10;
        input.parent = parent;
        const auto started = uploads.start(kAlice, input);
        REQUIRE(started);
        return started->snapshot.id;
    }
    Status put(const model::SnapshotId& id, std::int64_t index, const Bytes& data) {
        return uploads.put(kAlice, {id, index, static_cast<std::int64_t>(data.size()),
                                    base64_encode(digest_of(data)), std::nullopt, data});
    }
    std::string complete(const model::SnapshotId& id, std::int64_t count,
                         const std::string& checksum = {}) {
        const auto state = uploads.complete(kAlice, {id, count, checksum});
        return state ? std::string(model::to_string(*state)) : state.error().api_code();
    }
    void wait_for(const model::SnapshotId& id, model::SnapshotState state) {
        service.wait_until([&] { return service.row(id).state == state; }, "the snapshot's state");
    }
    Bytes read(const model::SnapshotId& id, std::uint64_t index) {
        const block::VolumeId name("look");
        REQUIRE(service.engine->open_content(name, block_id(service.row(id).content), soon()));
        auto bytes = service.engine->read(name, index * kApiBlockBytes, kApiBlockBytes, soon());
        REQUIRE(bytes);
        REQUIRE(service.engine->close_volume(name, soon()));
        return std::move(*bytes);
    }

    TestService service;
    ShiftedClock clock;
    Parts parts;
    SnapshotUploads uploads;
};

}  // namespace

TEST_CASE("ED-7: LINEAR is the digest of the digests") {
    LinearChecksum none;
    CHECK(none.finish() == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    LinearChecksum two;
    Bytes both = digest_of(block_of(1));
    two.add(both);
    const Bytes second = digest_of(block_of(2));
    two.add(second);
    both.insert(both.end(), second.begin(), second.end());
    CHECK(two.finish() == base64_encode(digest_of(both)));
}

TEST_CASE("ED-5: what nobody goes on with ends in error, and leaves nothing") {
    TempDir dir;
    World world(dir.path());
    const std::size_t contents = world.service.contents();
    world.clock.shift(-std::chrono::minutes(30));
    const auto id = world.start();
    world.clock.shift(-std::chrono::minutes(25));
    REQUIRE(world.put(id, 3, block_of(1)));
    // Its job is due long since by the clock of jobs; the block put it off.
    world.clock.shift(-std::chrono::minutes(16));
    world.service.start_jobs();
    REQUIRE(world.put(id, 4, block_of(1)));
    CHECK(world.service.row(id).state == model::SnapshotState::pending);
    world.clock.shift(-std::chrono::minutes(5));
    world.service.jobs->poke();
    world.wait_for(id, model::SnapshotState::error);
    const Status late = world.put(id, 5, block_of(1));
    REQUIRE_FALSE(late);
    CHECK(late.error().api_code() == "ValidationException:WRITE_REQUEST_TIMEOUT");
    CHECK(world.complete(id, 2) == "ValidationException:WRITE_REQUEST_TIMEOUT");
    CHECK(world.service.contents() == contents);
    world.service.wait_until([&] { return world.service.jobs_of(kUploadJob) == 0; }, "its job");
    world.service.jobs->stop();
}

TEST_CASE("ED-7: a block whose writing was cut short counts only if it is what it was or will be") {
    TempDir dir;
    World world(dir.path());
    world.service.start_jobs();
    const auto parent = world.start();
    REQUIRE(world.put(parent, 0, block_of(1)));
    REQUIRE(world.put(parent, 9, block_of(9)));
    CHECK(world.complete(parent, 2) == "pending");
    world.wait_for(parent, model::SnapshotState::completed);
    const auto id = world.start(parent);
    for (const std::int64_t index : {1, 2, 3}) {
        REQUIRE(world.put(id, index, block_of(2)));
    }
    // As a kill leaves it: 1 untouched, 2 whole and new, 3 torn, 0 and 4 torn and never put before.
    const block::VolumeId volume("upload-" + id.str());
    const Bytes fresh = block_of(7);
    for (const std::uint64_t index : {0, 1, 2, 3, 4}) {
        REQUIRE(world.service.store->run([&](catalog::Transaction& tx) -> Status {
            TRY_ASSIGN(auto block, tx.uploads().find_block(id, index));
            const Bytes before = block ? block->digest : Bytes();
            return tx.uploads().put(id, {index, before, digest_of(fresh)});
        }));
        const std::size_t length = index == 1 ? 0 : index == 2 ? fresh.size() : 65536;
        if (length > 0) {
            REQUIRE(world.service.engine->write(volume, index * kApiBlockBytes,
                                                ByteView(fresh).first(length), soon()));
        }
    }
    CHECK(world.complete(id, 5) == "ValidationException:INVALID_PARAMETER_VALUE");
    LinearChecksum checksum;
    checksum.add(digest_of(block_of(2)));
    checksum.add(digest_of(fresh));
    CHECK(world.complete(id, 2, checksum.finish()) == "pending");
    world.wait_for(id, model::SnapshotState::completed);
    CHECK(world.read(id, 0) == block_of(1));  // the parent's
    CHECK(world.read(id, 1) == block_of(2));
    CHECK(world.read(id, 2) == fresh);
    CHECK(world.read(id, 3) == block_of(0));
    CHECK(world.read(id, 4) == block_of(0));
    CHECK(world.read(id, 9) == block_of(9));
    CHECK(world.complete(id, 2) == "completed");
    world.service.jobs->stop();
}

TEST_CASE("ED-6: what is being completed takes no blocks any more") {
    TempDir dir;
    World world(dir.path());
    const auto id = world.start();
    REQUIRE(world.put(id, 0, block_of(1)));
    CHECK(world.complete(id, 1) == "pending");
    const auto refused = [&] {
        const Status late = world.put(id, 1, block_of(1));
        return late ? std::string("accepted") : late.error().api_code();
    };
    CHECK(refused() == "ValidationException:INVALID_SNAPSHOT_ID");
    CHECK(world.complete(id, 1) == "pending");
    world.service.start_jobs();
    world.wait_for(id, model::SnapshotState::completed);
    CHECK(refused() == "ValidationException:INVALID_SNAPSHOT_ID");
    CHECK(world.read(id, 0) == block_of(1));
    CHECK(world.read(id, 1) == block_of(0));
    world.service.jobs->stop();
}

TEST_CASE("SNP-22: a pending one that is deleted leaves nothing") {
    TempDir dir;
    World world(dir.path());
    world.service.start_jobs();
    const std::size_t contents = world.service.contents();
    const auto id = world.start();
    REQUIRE(world.put(id, 0, block_of(1)));
    REQUIRE(world.service.snapshots->remove(kAlice, id, false));
    const Status late = world.put(id, 1, block_of(1));
    REQUIRE_FALSE(late);
    CHECK(late.error().api_code() == "ResourceNotFoundException:SNAPSHOT_NOT_FOUND");
    world.service.jobs->poke();
    world.service.wait_until([&] { return world.service.contents() == contents; }, "its content");
    CHECK_FALSE(world.service.engine->is_open(block::VolumeId("upload-" + id.str())));
    world.service.jobs->stop();
}

TEST_CASE("SPC-1: a full store refuses to start") {
    TempDir dir;
    World world(dir.path());
    world.service.available = 0;
    StartSnapshotInput input;
    input.volume_size_gib = 1;
    const auto started = world.uploads.start(kAlice, input);
    REQUIRE_FALSE(started);
    CHECK(started.error().api_code() == "ServiceQuotaExceededException");
}
