// SPDX-License-Identifier: Apache-2.0
// ModifyVolume (VOL-8, VOL-9): what is refused, what the rows say, and that the bytes are there in
// each case, over the real engine and scripted machines.
#include "control/volume_modifications.h"

#include <unistd.h>

#include <atomic>

#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::ModificationState;
using model::VolumeType;

namespace {

// A clock that can be set forward.
class MovedClock final : public io::Clock {
  public:
    explicit MovedClock(io::Clock& below) : below_(below) {}
    UnixMillis now() override { return UnixMillis{below_.now().value + ahead_ms}; }
    std::chrono::nanoseconds monotonic() override { return below_.monotonic(); }
    std::atomic<std::int64_t> ahead_ms{0};

  private:
    io::Clock& below_;
};

constexpr std::int64_t kHourMs = 3600 * 1000;

struct World {
    World() { modifications.install(jobs); }
    ~World() { jobs.stop(); }
    // By the clock that can be set; the service's own jobs have another.
    void start_jobs() { REQUIRE(jobs.start(1)); }

    ModifyVolumeInput input(const model::VolumeId& id) {
        ModifyVolumeInput made;
        made.volume = id;
        return made;
    }
    Result<model::Volume> grow(const model::VolumeId& id, std::uint32_t size_gib) {
        ModifyVolumeInput wanted = input(id);
        wanted.size_gib = size_gib;
        return modifications.modify(kAlice, wanted);
    }
    std::string code(const Result<model::Volume>& result) {
        return result ? "" : std::string(result.error().api_code());
    }
    void wait_ended(const model::VolumeId& id) {
        service.wait_until([&] { return service.row(id).modification->ended.has_value(); },
                           "the modification to end");
    }

    TempDir directory;
    TestService service{directory.path()};
    MovedClock clock{*service.clock};
    Parts parts{*service.store, *service.engine,  *service.hypervisor, clock,
                *service.rng,   service.topology, service.settings,    service.space};
    JobRunner jobs{*service.store, clock};
    VolumeModifications modifications{parts, *service.volumes, [this] { jobs.poke(); }};
};

model::VolumeShape shape(std::uint32_t size, VolumeType type,
                         std::optional<std::uint32_t> iops = std::nullopt,
                         std::optional<std::uint32_t> throughput = std::nullopt) {
    return {size, type, iops, throughput};
}

}  // namespace

TEST_CASE("VOL-8: what is not asked for stays, or is the default of a new type; limits are kept") {
    ModifyVolumeInput wanted;
    CHECK(modified_shape(shape(10, VolumeType::gp2), wanted).error().api_code() ==
          "InvalidParameterValue");
    wanted.size_gib = 9;
    const auto smaller = modified_shape(shape(10, VolumeType::gp2), wanted);
    REQUIRE_FALSE(smaller);
    CHECK(smaller.error().message() == "New size cannot be smaller than existing size");
    wanted.size_gib = 10;
    CHECK(*modified_shape(shape(10, VolumeType::gp3, 5000, 500), wanted) ==
          shape(10, VolumeType::gp3, 5000, 500));
    wanted = {};
    wanted.type = VolumeType::gp3;
    CHECK(*modified_shape(shape(10, VolumeType::gp2), wanted) ==
          shape(10, VolumeType::gp3, 3000, 125));
    wanted.type = VolumeType::io1;
    CHECK(*modified_shape(shape(100, VolumeType::gp2), wanted) ==
          shape(100, VolumeType::io1, 3000));
    CHECK(modified_shape(shape(10, VolumeType::gp2), wanted).error().api_code() ==
          "InvalidParameterValue");  // 300 for each GiB
    wanted.type = VolumeType::gp2;
    CHECK(*modified_shape(shape(10, VolumeType::gp3, 3000, 125), wanted) ==
          shape(10, VolumeType::gp2));
    wanted.iops = 3000;
    CHECK(modified_shape(shape(10, VolumeType::gp3, 3000, 125), wanted).error().api_code() ==
          "InvalidParameterCombination");
    wanted = {};
    wanted.size_gib = 20'000;
    CHECK(modified_shape(shape(10, VolumeType::gp2), wanted).error().api_code() ==
          "InvalidParameterValue");
    wanted.type = VolumeType::st1;
    wanted.size_gib = 125;
    CHECK(*modified_shape(shape(10, VolumeType::gp3, 3000, 125), wanted) ==
          shape(125, VolumeType::st1));
    wanted.size_gib = 124;
    CHECK(modified_shape(shape(10, VolumeType::gp2), wanted).error().api_code() ==
          "InvalidParameterValue");
}

TEST_CASE("VOL-11: Multi-Attach is of io1 and io2, and what it lets change") {
    const auto with = [](model::VolumeShape now) {
        now.multi_attach = true;
        return now;
    };
    const model::VolumeShape io1 = shape(10, VolumeType::io1, 100);
    const model::VolumeShape io2 = shape(10, VolumeType::io2, 100);
    ModifyVolumeInput on;
    on.multi_attach = true;
    CHECK(*modified_shape(io2, on) == with(io2));
    CHECK(*modified_shape(with(io2), on) == with(io2));
    const auto other = modified_shape(shape(10, VolumeType::gp2), on);
    REQUIRE_FALSE(other);
    CHECK(other.error().api_code() == "InvalidParameterCombination");
    CHECK(other.error().message() ==
          "The parameter MultiAttachEnabled is not supported for gp2 volumes.");
    CHECK(modified_shape(io1, on).error().api_code() == "UnsupportedOperation");
    ModifyVolumeInput off;
    off.multi_attach = false;
    CHECK(*modified_shape(with(io2), off) == io2);
    CHECK(*modified_shape(io1, off) == io1);
    CHECK(modified_shape(with(io1), off).error().api_code() == "UnsupportedOperation");

    ModifyVolumeInput larger;
    larger.size_gib = 20;
    larger.iops = 200;
    CHECK(*modified_shape(with(io2), larger) == with(shape(20, VolumeType::io2, 200)));
    CHECK(modified_shape(with(io1), larger).error().api_code() == "UnsupportedOperation");
    ModifyVolumeInput typed;
    typed.type = VolumeType::gp3;
    CHECK(modified_shape(with(io2), typed).error().api_code() == "UnsupportedOperation");
    typed.multi_attach = false;  // one after the other
    CHECK(modified_shape(with(io2), typed).error().api_code() == "UnsupportedOperation");
    ModifyVolumeInput both;
    both.type = VolumeType::io2;
    both.multi_attach = true;
    CHECK(*modified_shape(shape(10, VolumeType::gp2), both) ==
          with(shape(10, VolumeType::io2, 3000)));
}

TEST_CASE(
    "VOL-8, VOL-9: a volume grows, closed and open, and keeps its bytes; rows say both sizes") {
    World world;
    TestService& service = world.service;
    service.start_jobs();
    world.start_jobs();
    const model::VolumeId id = service.add_volume(1);
    service.open(id);
    service.write(id, 3, "before");
    service.close(id);
    for (const bool open : {false, true}) {
        CAPTURE(open);
        if (open) {
            service.open(id);
        }
        const std::uint32_t size = service.row(id).size_gib;
        const auto answer = world.grow(id, size + 70);  // the second one moves the map
        REQUIRE_MESSAGE(answer, answer.error().to_string());
        CHECK(answer->modification->state == ModificationState::modifying);
        CHECK(answer->modification->original.size_gib == size);
        CHECK(answer->modification->target.size_gib == size + 70);
        CHECK(progress_of(*answer->modification) == 0);
        world.wait_ended(id);
        const model::Volume row = service.row(id);
        CHECK(row.size_gib == size + 70);
        CHECK(row.modification->state == ModificationState::completed);
        CHECK(progress_of(*row.modification) == 100);
        CHECK(service.row(row.active_layer).size_bytes == (size + 70) * kGiB);
        if (!open) {
            CHECK_FALSE(service.engine->is_open(block_id(id)));
            service.open(id);
        }
        const std::uint64_t last = row.size_gib * (kGiB >> 16) - 1;
        CHECK(service.read(id, last).empty());
        service.write(id, last, "last");
        CHECK(service.read(id, last) == "last");
        CHECK(service.read(id, 3) == "before");
        service.close(id);
    }
    // What is made of it has its size.
    const model::SnapshotId snapshot = service.snapshot(id);
    CHECK(service.row(snapshot).volume_size_gib == 141);
    service.wait_rooted(service.row(snapshot).content);
    CHECK(service.read(service.row(snapshot).content, 3) == "before");
    CHECK(service.read(service.row(snapshot).content, 141 * (kGiB >> 16) - 1) == "last");
}

TEST_CASE("VOL-8: one modification at a time, four within a day, none of what is not there") {
    World world;
    TestService& service = world.service;
    const model::VolumeId id = service.add_volume(1);
    CHECK(world.code(world.grow(model::VolumeId("vol-0123456789abcdef0"), 2)) ==
          "InvalidVolume.NotFound");
    ModifyVolumeInput dry = world.input(id);
    dry.size_gib = 2;
    dry.dry_run = true;
    CHECK(world.code(world.modifications.modify(kAlice, dry)) == "DryRunOperation");
    CHECK_FALSE(service.row(id).modification);
    CHECK(world.code(world.modifications.modify(kBob, dry)) == "InvalidVolume.NotFound");
    REQUIRE(world.grow(id, 2));
    CHECK(world.code(world.grow(id, 3)) == "IncorrectModificationState");
    CHECK(service.jobs_of(kModificationJob) == 1);
    world.start_jobs();
    for (std::uint32_t size = 3; size <= 5; ++size) {
        world.wait_ended(id);
        world.clock.ahead_ms += kHourMs;
        REQUIRE(world.grow(id, size));
    }
    world.wait_ended(id);
    CHECK(world.code(world.grow(id, 6)) == "VolumeModificationRateExceeded");
    CHECK(service.row(id).size_gib == 5);
    world.clock.ahead_ms += 20 * kHourMs;  // 23 hours after the first
    CHECK(world.code(world.grow(id, 6)) == "VolumeModificationRateExceeded");
    world.clock.ahead_ms += kHourMs + 60'000;
    CHECK(world.grow(id, 6));
    world.wait_ended(id);
    CHECK(service.row(id).modified.size() == 4);
}

TEST_CASE("BDM-19: a vhost-user disk grows while its instance is stopped, and not else") {
    World world;
    TestService& service = world.service;
    const model::VolumeId id = service.add_volume(10);
    const auto instance_id = model::make_id<model::InstanceId>(*service.rng);
    const auto put = [&](model::InstanceState state, model::DiskTransport transport) {
        REQUIRE(service.store->run([&](catalog::Transaction& tx) -> Status {
            TRY_ASSIGN(const auto found, tx.instances().find(instance_id));
            model::Instance instance = found.value_or(model::Instance());
            instance.id = instance_id;
            instance.owner_id = kAlice.account;
            instance.region = kAlice.region;
            instance.state = state;
            instance.disk_transport = transport;
            instance.instance_type = "t2.nano";
            instance.root_device_name = "/dev/xvda";
            TRY(found ? tx.instances().update(instance) : tx.instances().insert(instance));
            TRY_ASSIGN(model::Volume volume, tx.volumes().get(id));
            if (volume.attachments.empty()) {
                TRY(model::add_attachment(
                    volume, {instance_id, "/dev/sdf", model::AttachmentState::attached, false,
                             UnixMillis{1}}));
            }
            return tx.volumes().update(volume);
        }));
    };
    put(model::InstanceState::running, model::DiskTransport::vhost_user);
    CHECK(world.code(world.grow(id, 12)) == "UnsupportedOperation");
    CHECK_FALSE(service.row(id).modification);
    ModifyVolumeInput faster = world.input(id);
    faster.type = VolumeType::gp3;
    faster.iops = 4000;
    CHECK(world.modifications.modify(kAlice, faster));  // its size stays
    world.start_jobs();
    world.wait_ended(id);
    CHECK(service.row(id).iops == 4000U);
    put(model::InstanceState::stopped, model::DiskTransport::vhost_user);
    CHECK(world.grow(id, 12));
    world.wait_ended(id);
    CHECK(service.row(id).size_gib == 12);
    put(model::InstanceState::running, model::DiskTransport::nbd);
    CHECK(world.grow(id, 13));
}

TEST_CASE("VOL-9: only volumes with a modification are listed, and found by it") {
    World world;
    TestService& service = world.service;
    world.start_jobs();
    const model::VolumeId id = service.add_volume(1);
    const model::VolumeId other = service.add_volume(1);
    REQUIRE(world.grow(id, 2));
    world.wait_ended(id);
    const auto list = [&](DescribeModificationsInput input) {
        const auto page = world.modifications.describe(kAlice, input);
        REQUIRE_MESSAGE(page, page.error().to_string());
        return page->items.size();
    };
    CHECK(list({}) == 1);
    CHECK(list({.ids = {id, id}, .filters = {}, .page = {}}) == 1);
    struct Case {
        std::string name;
        std::string value;
        std::size_t found;
    };
    for (const Case& wanted : {Case{"volume-id", id.str(), 1},
                               {"modification-state", "completed", 1},
                               {"modification-state", "failed", 0},
                               {"original-size", "1", 1},
                               {"target-size", "2", 1},
                               {"target-size", "1", 0},
                               {"target-volume-type", "gp2", 1},
                               {"target-iops", "100", 1},  // of gp2, by the size
                               {"target-throughput", "*", 0},
                               {"original-multi-attach-enabled", "false", 1}}) {
        CAPTURE(wanted.name);
        CAPTURE(wanted.value);
        CHECK(list({.ids = {}, .filters = {{wanted.name, {wanted.value}}}, .page = {}}) ==
              wanted.found);
    }
    const auto never =
        world.modifications.describe(kAlice, {.ids = {other}, .filters = {}, .page = {}});
    REQUIRE_FALSE(never);
    CHECK(never.error().api_code() == "InvalidVolumeModification.NotFound");
    const auto bad =
        world.modifications.describe(kAlice, {.ids = {}, .filters = {{"size", {"1"}}}, .page = {}});
    CHECK_FALSE(bad);
}

TEST_CASE("VOL-8: a kill at any commit leaves the old size or the new, and the next life goes on") {
    for (int commit = 1;; ++commit) {
        INFO("killed at commit ", commit);
        TempDir directory;
        model::VolumeId id;
        {
            TestService service(directory.path());
            id = service.add_volume(1);
            service.open(id);
            service.write(id, 1, "before");
            service.close(id);
        }
        const int status = live_and_die([&] {
            TestService service(directory.path());
            VolumeModifications modifications(*service.parts, *service.volumes,
                                              [&] { service.jobs->poke(); });
            modifications.install(*service.jobs);
            ModifyVolumeInput wanted;
            wanted.volume = id;
            wanted.size_gib = 200;
            REQUIRE(modifications.modify(kAlice, wanted));
            std::atomic<int> left{commit};
            service.store->after = [&] {
                if (--left == 0) {
                    ::_exit(77);
                }
            };
            service.start_jobs();
            service.wait_until(
                [&] {
                    const auto row = service.row(id);
                    return row.modification && row.modification->ended;
                },
                "the modification to end");
            service.jobs->stop();
            service.store->after = nullptr;
            ::_exit(0);
        });
        TestService service(directory.path());
        service.recover();
        VolumeModifications modifications(*service.parts, *service.volumes,
                                          [&] { service.jobs->poke(); });
        modifications.install(*service.jobs);
        service.start_jobs();
        service.wait_until([&] { return service.row(id).modification->ended.has_value(); },
                           "the modification to end in the next life");
        CHECK(service.row(id).size_gib == 200);
        service.open(id);
        CHECK(service.read(id, 1) == "before");
        CHECK(service.read(id, 200 * (kGiB >> 16) - 1).empty());
        service.close(id);
        service.jobs->stop();
        if (status == 0) {
            CHECK(commit > 3);
            break;
        }
        REQUIRE(status == 77);
    }
}
