// SPDX-License-Identifier: Apache-2.0
// A service that prepares snapshots of images with scripted machines, and what tests of fast launch
// ask and tell it. Thread model: one owner thread, besides those of the service.
#pragma once

#include "compute/fake/fake_guest_networks.h"
#include "control/fast_launches.h"
#include "control/images.h"
#include "control/instance_worker.h"
#include "control/instances.h"
#include "control/tests/test_service.h"

namespace kiln::control::testing {

struct NoGuestSockets final : GuestSockets {
    Status open(const model::InstanceId&, const std::string&,
                std::optional<std::uint32_t>) override {
        return ok();
    }
    void close(const model::InstanceId&) override {}
};

template <class T>
std::string refusal(const Result<T>& result) {
    return result ? "" : result.error().api_code();
}

template <class T>
T must(Result<T> result) {
    REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().to_string()));
    return std::move(*result);
}

// One life of the service.
struct FastLaunchLife {
    explicit FastLaunchLife(const std::string& where, const TestService::Options& options = {})
        : service(where, options) {
        service.settings.instances_directory = where + "/instances";
        worker.install(*service.jobs);
        fast.install(*service.jobs);
        fast.launch_with([this](const Caller& caller, const PreparingLaunch& what) {
            return prepare(caller, what);
        });
        service.recover();
        service.start_jobs();
    }
    ~FastLaunchLife() {
        service.worker->stop();
        service.gc->stop();
        service.jobs->stop();  // before what its handlers use
    }

    Result<model::InstanceId> prepare(const Caller& caller, const PreparingLaunch& what) {
        RunInstancesInput input;
        input.image_id = what.image;
        input.instance_type = type;
        input.min_count = input.max_count = 1;
        input.disable_api_termination = protect;
        input.client_token = input.request_hash = what.client_token;
        input.prepares = true;
        input.dry_run = what.dry_run;
        if (!what.tags.empty()) {
            input.tags = {{"instance", what.tags}};
        }
        TRY_ASSIGN(const auto made, instances.run(caller, input));
        return made.instances.front().instance.id;
    }
    model::ImageId image(const std::string& name, bool windows = true) {
        const auto volume = service.add_volume();
        service.open(volume);
        service.write(volume, 0, "image");
        service.close(volume);
        const auto snapshot = service.snapshot(volume);
        service.wait_until(
            [&] { return service.row(snapshot).state == model::SnapshotState::completed; },
            "the snapshot to be completed");
        RegisterImageInput wanted = input(name, snapshot);
        wanted.windows = windows;
        return must(images.register_image(kAlice, wanted));
    }
    // An image of one disk.
    static RegisterImageInput input(const std::string& name, const model::SnapshotId& snapshot) {
        RegisterImageInput input;
        input.name = name;
        input.architecture = model::Architecture::x86_64;
        input.virtualization_type = model::VirtualizationType::hvm;
        input.ena_support = true;
        input.root_device_name = "/dev/sda1";
        input.block_device_mappings.resize(1);
        input.block_device_mappings[0].device_name = "/dev/sda1";
        input.block_device_mappings[0].ebs.emplace().snapshot_id = snapshot;
        return input;
    }
    model::Image row(const model::ImageId& id) {
        return must(
            service.store->read([&](catalog::Transaction& tx) { return tx.images().get(id); }));
    }
    model::FastLaunch record(const model::ImageId& id, const Caller& caller = kAlice) {
        model::Image found = row(id);
        const model::FastLaunch* launch = find_fast_launch(found, caller.account);
        return launch == nullptr ? model::FastLaunch() : *launch;
    }
    bool is_gone(const model::ImageId& id) { return row(id).fast_launches.empty(); }
    std::string enable(const model::ImageId& id, std::int64_t target,
                       const Caller& caller = kAlice) {
        EnableFastLaunchInput input;
        input.image = id;
        input.target = target;
        return refusal(fast.enable(caller, input));
    }
    std::vector<model::Instance> all(model::InstanceState state) {
        catalog::InstanceQuery query;
        query.states = {state};
        return must(service.store->read(
            [&](catalog::Transaction& tx) { return tx.instances().list(query); }));
    }
    void wait_running(std::size_t count) {
        service.wait_until([&] { return all(model::InstanceState::running).size() == count; },
                           std::to_string(count) + " machines run");
    }
    void wait_state(const model::ImageId& id, model::FastLaunchState state,
                    const Caller& caller = kAlice) {
        service.wait_until([&] { return record(id, caller).state == state; },
                           std::string(model::to_string(state)));
    }
    model::VolumeId root_of(const model::InstanceId& id) {
        catalog::VolumeQuery query;
        query.attached_to = {id};
        const auto found = must(service.store->read(
            [&](catalog::Transaction& tx) { return tx.volumes().list(query); }));
        REQUIRE(found.size() == 1);
        return found[0].id;
    }
    void power_off(const model::Instance& instance) {
        REQUIRE(service.host.guest_shutdown(machine_id(instance.id)));
        REQUIRE(worker.machine_ended(instance.id, generation_of(instance), EndReason::guest));
    }
    // The guests that run write a word on their disks, and power themselves off.
    void guests_prepare(const std::string& word) {
        for (const model::Instance& instance : all(model::InstanceState::running)) {
            service.write(root_of(instance.id), 1, word);
            power_off(instance);
        }
    }
    model::Instance launch(const model::ImageId& id, const Caller& caller = kAlice,
                           std::optional<std::uint32_t> gib = {}) {
        RunInstancesInput input;
        input.image_id = id;
        input.instance_type = type;
        input.min_count = input.max_count = 1;
        if (gib) {
            input.block_device_mappings.resize(1);
            input.block_device_mappings[0].device_name = "/dev/sda1";
            input.block_device_mappings[0].ebs.emplace().volume_size_gib = gib;
        }
        const auto made = must(instances.run(caller, input)).instances.front().instance;
        service.wait_until(
            [&] {
                return must(service.store->read([&](catalog::Transaction& tx) {
                           return tx.instances().get(made.id);
                       })).state == model::InstanceState::running;
            },
            "the instance runs");
        return made;
    }
    // What its guest finds: "image" of the image, and the word of who prepared it.
    std::string found_by(const model::Instance& instance) {
        const model::VolumeId root = root_of(instance.id);
        return service.read(root, 0) + " " + service.read(root, 1);
    }
    std::size_t snapshots() {
        return must(service.store->read(
                        [](catalog::Transaction& tx) { return tx.snapshots().list({}); }))
            .size();
    }

    std::string type = "t3.nano";
    bool protect = false;
    TestService service;
    compute::FakeNetworkHost host;
    std::unique_ptr<compute::GuestNetworks> guests = compute::make_fake_guest_networks(host);
    NoGuestSockets sockets;
    compute::PublicAddresses addresses{std::make_unique<compute::LoopbackPool>(
                                           "a-store", [](const compute::Cidr&) { return true; }),
                                       nullptr};
    InstanceNetworks networks{*service.parts, *guests, sockets, sockets, addresses};
    std::function<void()> poke = [this] { service.jobs->poke(); };
    InstanceWorker worker{*service.parts, *service.volumes, networks, poke};
    Instances instances{*service.parts, networks, poke};
    Images images{*service.parts, poke};
    LaunchTemplates templates{*service.store, *service.clock, *service.rng,
                              service.settings.quotas};
    FastLaunches fast{*service.parts, *service.cuts, *service.snapshots, templates, poke};
};

struct FastLaunchWorld {
    TempDir directory;
    FastLaunchLife life{directory.path()};
};

}  // namespace kiln::control::testing
