// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "model/image.h"
#include "model/instance.h"
#include "model/snapshot.h"
#include "model/volume.h"

using namespace kiln;
using namespace kiln::model;

namespace {

const InstanceId kInstance("i-0123456789abcdef0");
const ImageId kImage("ami-0123456789abcdef0");
const VolumeId kVolume("vol-0123456789abcdef0");
const SnapshotId kSnapshot("snap-0123456789abcdef0");

// Every pair once, and in each row either a state or a refusal.
template <class State, class Event>
void check_complete(std::span<const Transition<State, Event>> table) {
    for (const auto& state : enum_names(State{})) {
        for (const auto& event : enum_names(Event{})) {
            CAPTURE(std::string(state.name));
            CAPTURE(std::string(event.name));
            const auto count = std::count_if(table.begin(), table.end(), [&](const auto& row) {
                return row.from == state.value && row.event == event.value;
            });
            CHECK(count == 1);
        }
    }
    for (const auto& row : table) {
        CHECK(row.to.has_value() == (row.refusal == nullptr));
    }
    CHECK(table.size() == enum_names(State{}).size() * enum_names(Event{}).size());
}

}  // namespace

TEST_CASE("every pair of state and event stands in its table exactly once") {
    check_complete(image_transitions());
    check_complete(snapshot_transitions());
    check_complete(volume_transitions());
    check_complete(attachment_transitions());
    check_complete(instance_transitions());
}

TEST_CASE("INS-1: an instance goes through its life") {
    InstanceState state = InstanceState::pending;
    const std::pair<InstanceEvent, InstanceState> life[] = {
        {InstanceEvent::started, InstanceState::running},
        {InstanceEvent::stop, InstanceState::stopping},
        {InstanceEvent::powered_off, InstanceState::stopped},
        {InstanceEvent::start, InstanceState::pending},
        {InstanceEvent::started, InstanceState::running},
        {InstanceEvent::reboot, InstanceState::running},
        {InstanceEvent::guest_stop, InstanceState::stopping},
        {InstanceEvent::terminate, InstanceState::shutting_down},
        {InstanceEvent::powered_off, InstanceState::terminated},
        {InstanceEvent::terminate, InstanceState::terminated},
    };
    for (const auto& [event, expected] : life) {
        auto reached = next(state, event, kInstance);
        REQUIRE(reached.has_value());
        CHECK(*reached == expected);
        state = *reached;
    }
    CHECK(*next(InstanceState::stopped, InstanceEvent::terminate, kInstance) ==
          InstanceState::terminated);
    CHECK(state_code(InstanceState::shutting_down) == 32);
}

TEST_CASE("INS-1: only a first start that fails ends the instance") {
    CHECK(*next(InstanceState::pending, InstanceEvent::launch_failed, kInstance) ==
          InstanceState::terminated);
    CHECK(*next(InstanceState::pending, InstanceEvent::start_failed, kInstance) ==
          InstanceState::stopped);
}

TEST_CASE("STP-1, STP-3: what cannot be stopped or started says so in EC2's words") {
    const auto stop = next(InstanceState::terminated, InstanceEvent::stop, kInstance);
    CHECK(stop.error().api_code() == "IncorrectInstanceState");
    CHECK(stop.error().message() ==
          "This instance 'i-0123456789abcdef0' is not in a state from which it can be stopped.");
    const auto start = next(InstanceState::stopping, InstanceEvent::start, kInstance);
    CHECK(start.error().message() ==
          "The instance 'i-0123456789abcdef0' is not in a state from which it can be started.");
}

TEST_CASE("CI-2: an image is made of a running or stopped instance only") {
    CHECK(next(InstanceState::running, InstanceEvent::create_image, kInstance).has_value());
    CHECK(next(InstanceState::stopped, InstanceEvent::create_image, kInstance).has_value());
    const auto pending = next(InstanceState::pending, InstanceEvent::create_image, kInstance);
    CHECK(pending.error().api_code() == "InvalidParameterValue");
    CHECK(pending.error().message().find("Instance is not in state") == 0);
    CHECK(next(InstanceState::terminated, InstanceEvent::create_image, kInstance)
              .error()
              .api_code() == "InvalidInstanceID.NotFound");
}

TEST_CASE("a worker's late report is refused without an error code for clients") {
    const auto late = next(InstanceState::shutting_down, InstanceEvent::started, kInstance);
    CHECK(late.error().code() == Code::failed_precondition);
    CHECK_FALSE(late.error().has_api_code());
}

TEST_CASE("IMS-2, IMS-3: launch and sharing want an available image") {
    CHECK(*next(ImageState::available, ImageEvent::launch, kImage) == ImageState::available);
    for (const ImageState state : {ImageState::pending, ImageState::failed, ImageState::disabled,
                                   ImageState::deregistered, ImageState::invalid}) {
        const auto launch = next(state, ImageEvent::launch, kImage);
        CHECK(launch.error().api_code() == "InvalidAMIID.Unavailable");
        CHECK(launch.error().message() ==
              "The image ID 'ami-0123456789abcdef0' is no longer available");
        CHECK_FALSE(next(state, ImageEvent::modify, kImage).has_value());
    }
}

TEST_CASE("IMS-1, IMS-5: nothing becomes transient or error, and a failed image stays one") {
    for (const auto& row : image_transitions()) {
        if (row.to && row.from != *row.to) {
            CHECK(*row.to != ImageState::transient);
            CHECK(*row.to != ImageState::error);
        }
        if (row.from == ImageState::failed && row.to && *row.to != ImageState::failed) {
            CHECK(row.event == ImageEvent::deregister);
        }
    }
}

TEST_CASE("DR-1, DR-4: an image is deregistered once") {
    for (const ImageState state :
         {ImageState::pending, ImageState::available, ImageState::disabled, ImageState::failed}) {
        CHECK(*next(state, ImageEvent::deregister, kImage) == ImageState::deregistered);
    }
    CHECK(next(ImageState::deregistered, ImageEvent::deregister, kImage).error().api_code() ==
          "InvalidAMIID.Unavailable");
}

TEST_CASE("RACE-13: nothing brings an available image back to pending or to failed") {
    for (const auto& row : image_transitions()) {
        if (row.from == ImageState::available && row.to) {
            CHECK(*row.to != ImageState::pending);
            CHECK(*row.to != ImageState::failed);
        }
    }
}

TEST_CASE("SNP-12: a pending snapshot cannot be read") {
    const auto read = next(SnapshotState::pending, SnapshotEvent::read, kSnapshot);
    CHECK(read.error().api_code() == "IncorrectState");
    CHECK(read.error().message() == "Snapshot is in invalid state - pending");
}

TEST_CASE("SNP-22: a pending snapshot that was deleted does not come back when it completes") {
    CHECK(*next(SnapshotState::pending, SnapshotEvent::remove, kSnapshot) ==
          SnapshotState::deleted);
    CHECK(*next(SnapshotState::deleted, SnapshotEvent::complete, kSnapshot) ==
          SnapshotState::deleted);
}

TEST_CASE("VOL-1: a volume is attached, detached and deleted") {
    CHECK(*next(VolumeState::creating, VolumeEvent::created, kVolume) == VolumeState::available);
    CHECK(*next(VolumeState::available, VolumeEvent::attach, kVolume) == VolumeState::in_use);
    CHECK(next(VolumeState::in_use, VolumeEvent::remove, kVolume).error().api_code() ==
          "VolumeInUse");
    CHECK(*next(VolumeState::in_use, VolumeEvent::detached, kVolume) == VolumeState::available);
    CHECK(*next(VolumeState::available, VolumeEvent::remove, kVolume) == VolumeState::deleting);
    CHECK(*next(VolumeState::deleting, VolumeEvent::removed, kVolume) == VolumeState::deleted);
}

TEST_CASE("VOL-5: a device that the guest holds is busy until it is let go") {
    CHECK(*next(AttachmentState::detaching, AttachmentEvent::held, kVolume) ==
          AttachmentState::busy);
    CHECK(*next(AttachmentState::busy, AttachmentEvent::detached, kVolume) ==
          AttachmentState::detached);
    CHECK(next(AttachmentState::detached, AttachmentEvent::detach, kVolume).error().message() ==
          "Volume 'vol-0123456789abcdef0' is in the 'available' state.");
}
