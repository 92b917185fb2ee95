// SPDX-License-Identifier: Apache-2.0
// What the tests of key pairs and metadata are made over: a real catalog in a directory of its own,
// a clock that the test moves, and an instance. The tests of the API's metadata door share it.
// Thread model: the clock is thread-safe, the rest is for one thread.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "catalog/sqlite_store.h"
#include "control/caller.h"
#include "control/metadata.h"
#include "control/sessions.h"
#include "io/clock.h"

namespace kiln::control::testing {

class HandClock : public io::Clock {
  public:
    UnixMillis now() override { return {1'750'000'000'000 + ms_}; }
    std::chrono::nanoseconds monotonic() override { return std::chrono::milliseconds(ms_); }
    void advance(std::chrono::milliseconds time) { ms_ += time.count(); }

  private:
    std::atomic<std::int64_t> ms_ = 0;
};

inline const model::InstanceId kInstance("i-0123456789abcdef0");

// With everything that metadata can show.
inline model::Instance full_instance() {
    model::Instance instance;
    instance.id = kInstance;
    instance.reservation_id = model::ReservationId("r-0123456789abcdef0");
    instance.owner_id = model::AccountId("111111111111");
    instance.region = "us-east-1";
    instance.availability_zone = "us-east-1b";
    instance.state = model::InstanceState::running;
    instance.launched = UnixMillis{1'749'999'999'123};
    instance.created = instance.launched;
    instance.image_id = model::ImageId("ami-0123456789abcdef0");
    instance.instance_type = "m3.medium";  // with one disk of the instance store
    instance.root_device_name = "/dev/xvda";
    model::BlockDeviceMapping root;
    root.device_name = "/dev/xvda";
    root.ebs.emplace();
    model::BlockDeviceMapping data = root;
    data.device_name = "/dev/sdf";
    model::BlockDeviceMapping scratch;
    scratch.device_name = "sdb";
    scratch.virtual_name = "ephemeral0";
    instance.launch_mappings = {root, scratch, data};
    instance.key_name = "my key";
    instance.public_key = "ssh-ed25519 AAAAC3Nz";
    const std::string_view script("#!/bin/sh\n\0\xff", 12);
    instance.user_data.assign(script.begin(), script.end());
    instance.vpc_id = model::VpcId("vpc-0123456789abcdef0");
    instance.subnet_id = model::SubnetId("subnet-0123456789abcdef0");
    instance.network_interface_id = model::NetworkInterfaceId("eni-0123456789abcdef0");
    instance.security_groups = {model::SecurityGroupId("sg-1"), model::SecurityGroupId("sg-2")};
    instance.mac = "02:AB:00:00:00:01";
    instance.private_ip = "172.31.5.10";
    instance.public_ip = "127.80.0.5";
    return instance;
}

inline InterfaceFacts interface_facts(const model::Instance&) {
    return {{"default", "web"}, "172.31.0.0/20", {"172.31.0.0/16"}};
}

class World {
  public:
    World() {
        REQUIRE(::mkdtemp(folder_) != nullptr);
        catalog::SqliteOptions options;
        options.path = std::string(folder_) + "/catalog.db";
        options.durable = false;
        auto opened = catalog::open_sqlite_store(options, *rng_);
        REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().to_string()));
        store_ = std::move(*opened);
    }
    ~World() {
        sessions_.reset();
        store_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    catalog::Store& store() { return *store_; }
    HandClock& clock() { return clock_; }
    io::Rng& rng() { return *rng_; }
    std::string file(const std::string& name) const { return std::string(folder_) + "/" + name; }

    std::unique_ptr<Metadata> metadata() {
        auto made =
            Metadata::create(*store_, clock_, *rng_, topology_, sessions(), interface_facts);
        REQUIRE(made.has_value());
        return std::move(*made);
    }
    Sessions& sessions() {
        if (!sessions_) {
            auto made = Sessions::create(*store_, clock_, *rng_);
            REQUIRE(made.has_value());
            sessions_ = std::move(*made);
        }
        return *sessions_;
    }
    void insert(const model::Instance& instance) {
        REQUIRE(
            store_->run([&](catalog::Transaction& tx) { return tx.instances().insert(instance); })
                .has_value());
    }
    void update(const model::Instance& instance) {
        REQUIRE(
            store_->run([&](catalog::Transaction& tx) { return tx.instances().update(instance); })
                .has_value());
    }
    void tag(const model::Instance& instance, const std::vector<model::Tag>& tags) {
        REQUIRE(store_
                    ->run([&](catalog::Transaction& tx) {
                        return tx.tags().put(
                            {instance.owner_id, instance.region, "instance", instance.id.str()},
                            tags);
                    })
                    .has_value());
    }

  private:
    char folder_[32] = "/tmp/kiln-meta-XXXXXX";
    HandClock clock_;
    std::unique_ptr<io::Rng> rng_ = io::make_system_rng();
    std::unique_ptr<catalog::Store> store_;
    std::unique_ptr<Sessions> sessions_;
    const Topology topology_ = Topology::built_in();
};

inline Caller caller(std::string account = "111111111111", std::string region = "us-east-1") {
    return {model::AccountId(std::move(account)), std::move(region), false, "test"};
}

}  // namespace kiln::control::testing
