// SPDX-License-Identifier: Apache-2.0
// The last place of a quota: threads that want it, and an image whose places go to others.
#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "compute/fake/fake_guest_networks.h"
#include "control/create_image.h"
#include "control/key_pairs.h"
#include "control/tests/quota_support.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::ImageState, model::InstanceState;

namespace {

struct World : QuotaWorld {
    // How many of the requests that eight threads make, each 3, were let in; the others were
    // refused with this code.
    unsigned race(const std::string& refusal, const std::function<std::string(unsigned)>& request) {
        std::atomic<unsigned> let_in = 0;
        std::atomic<unsigned> others = 0;
        std::vector<std::thread> threads;
        for (unsigned n = 0; n < 8; ++n) {
            threads.emplace_back([&, n] {
                for (unsigned i = 0; i < 3; ++i) {
                    const std::string answer = request(3 * n + i);
                    let_in += answer.empty() ? 1 : 0;
                    others += answer.empty() || answer == refusal ? 0 : 1;
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        CHECK(others == 0);
        return let_in;
    }
};

struct ClosedSockets final : GuestSockets {
    Status open(const model::InstanceId&, const std::string&,
                std::optional<std::uint32_t>) override {
        return ok();
    }
    void close(const model::InstanceId&) override {}
};

}  // namespace

TEST_CASE("QT-4: of requests that race as many are let in as there are places") {
    World world;
    TestService& service = world.service;
    const Quotas& quotas = service.settings.quotas;

    world.allow(Quota::volumes, 5);
    CHECK(world.race("VolumeLimitExceeded", [&](unsigned) { return world.create(1); }) == 5);
    CHECK(world.create(1) == "VolumeLimitExceeded");

    world.allow(Quota::volume_type_gib, 20);
    world.allow(Quota::volumes, 1000);
    CHECK(world.race("VolumeLimitExceeded", [&](unsigned) { return world.create(2); }) == 7);
    CHECK(world.create(1) == "");  // 5 + 7 * 2 + 1
    CHECK(world.create(1) == "VolumeLimitExceeded");

    world.allow(Quota::snapshots, 8);
    std::vector<model::VolumeId> volumes;
    for (int i = 0; i < 24; ++i) {
        volumes.push_back(service.add_volume());
    }
    const auto snapshot = [&](unsigned n) {
        CreateSnapshotInput input;
        input.volume_id = volumes[n];
        return code_of(service.snapshots->create(kAlice, input));
    };
    CHECK(world.race("SnapshotLimitExceeded", snapshot) == 8);
    const auto rows =
        service.store->read([](catalog::Transaction& tx) { return tx.snapshots().list({}); });
    CHECK(rows->size() == 8);
    // What was refused has cut nothing.
    CHECK(service.contents() == 8);

    world.allow(Quota::images, 4);
    const auto image = [&](unsigned n) {
        RegisterImageInput input;
        input.name = "image " + std::to_string(n);
        input.virtualization_type = model::VirtualizationType::hvm;
        input.root_device_name = "/dev/xvda";
        input.block_device_mappings.resize(1);
        input.block_device_mappings[0].device_name = "/dev/xvda";
        input.block_device_mappings[0].ebs.emplace().snapshot_id = rows->front().id;
        return code_of(Images(*service.parts).register_image(kAlice, input));
    };
    CHECK(world.race("ResourceLimitExceeded", image) == 4);

    world.allow(Quota::key_pairs, 3);
    KeyPairs pairs(*service.store, *service.clock, *service.rng, quotas);
    const auto pair = [&](unsigned n) {
        CreateKeyPairInput input;
        input.name = "pair " + std::to_string(n);
        input.type = model::KeyType::ed25519;
        return code_of(pairs.create(kAlice, input));
    };
    CHECK(world.race("KeyPairLimitExceeded", pair) == 3);
}

TEST_CASE("QT-4 IMS-4: an image whose places were taken while its guest shut down fails") {
    World world;
    TestService& service = world.service;
    compute::FakeNetworkHost host;
    const auto guests = compute::make_fake_guest_networks(host);
    ClosedSockets sockets;
    compute::PublicAddresses addresses(std::make_unique<compute::LoopbackPool>(
                                           "a-store", [](const compute::Cidr&) { return true; }),
                                       nullptr);
    InstanceNetworks networks(*service.parts, *guests, sockets, sockets, addresses);
    const auto poke = [&] { service.jobs->poke(); };
    InstanceWorker worker(*service.parts, *service.volumes, networks, poke);
    CreateImages images(*service.parts, *service.cuts, worker, poke);
    images.install(*service.jobs);

    model::Instance instance;
    instance.id = model::InstanceId("i-0123456789abcdef0");
    instance.owner_id = kAlice.account;
    instance.region = kAlice.region;
    instance.availability_zone = "us-east-1a";
    instance.state = InstanceState::running;
    instance.instance_type = "t3.micro";
    instance.root_device_name = "/dev/xvda";
    instance.launched = UnixMillis{1000};
    model::Volume root = service.row(service.add_volume());
    REQUIRE(model::add_attachment(root, {instance.id, "/dev/xvda", model::AttachmentState::attached,
                                         true, UnixMillis{1000}}));
    REQUIRE(service.store->run([&](catalog::Transaction& tx) -> Status {
        TRY(tx.instances().insert(instance));
        return tx.volumes().update(root);
    }));
    world.allow(Quota::snapshots, 1);
    CreateImageInput input;
    input.instance_id = instance.id;
    input.name = "image";
    const auto id = images.create(kAlice, input);
    REQUIRE_MESSAGE(id, (id ? "" : id.error().to_string()));
    service.snapshot(service.add_volume());
    service.start_jobs();
    const auto image = [&] {
        return *service.store->read([&](catalog::Transaction& tx) { return tx.images().get(*id); });
    };
    service.wait_until([&] { return image().state != ImageState::pending; }, "the image's end");
    service.jobs->stop();
    CHECK(image().state == ImageState::failed);
    REQUIRE(image().state_reason.has_value());
    CHECK(image().state_reason->code == "Client.SnapshotLimitExceeded");
    CHECK(image().state_reason->message.starts_with("Client.SnapshotLimitExceeded: You have"));
    CHECK(service.contents() == 1);
}
