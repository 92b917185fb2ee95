// SPDX-License-Identifier: Apache-2.0
// The promises of Hypervisor, held by the QEMU one (real processes, a boot sector as guest) and by
// the fake alike.
#include <doctest/doctest.h>

#include "compute/console.h"
#include "compute/tests/worlds.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;
using Kind = MachineEvent::Kind;

#define CONTRACT(name) TEST_CASE_TEMPLATE(name, World, FakeWorld, QemuWorld)

CONTRACT("a started machine runs, is listed and writes to its serial log") {
    World world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1", 7);
    const auto started = hypervisor->start(spec, soon());
    REQUIRE_MESSAGE(started, started.error().to_string());
    CHECK(started->state == MachineState::running);
    CHECK(started->generation == 7);
    CHECK(started->accelerator != Accelerator::automatic);
    CHECK(hypervisor->machines() == std::vector{spec.id});
    world.wait_booted(spec);
    CHECK_FALSE(read_console(spec.serial_log)->bytes.empty());
    CHECK(hypervisor->query(spec.id, soon())->state == MachineState::running);
    CHECK(hypervisor->kill(spec.id, soon()));
}

CONTRACT("start again is the same machine for the same generation, refused for another") {
    World world;
    const auto hypervisor = world.open();
    const auto first = hypervisor->start(world.spec("i-1", 1), soon());
    REQUIRE(first);
    const auto again = hypervisor->start(world.spec("i-1", 1), soon());
    REQUIRE(again);
    CHECK(again->pid == first->pid);
    const auto other = hypervisor->start(world.spec("i-1", 2), soon());
    REQUIRE_FALSE(other);
    CHECK(other.error().code() == Code::failed_precondition);
    CHECK(hypervisor->query(MachineId("i-1"), soon())->generation == 1);
}

CONTRACT("kill ends the process, the exit is the last event, and the next generation can start") {
    World world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1", 1);
    REQUIRE(hypervisor->start(spec, soon()));
    REQUIRE(hypervisor->kill(spec.id, soon()));
    CHECK(hypervisor->machines().empty());
    const auto exited = world.events.wait(Kind::exited);
    REQUIRE(exited);
    CHECK(exited->id == spec.id);
    CHECK(exited->generation == 1);
    CHECK(exited->event.exit_status == 128 + 9);
    CHECK(hypervisor->query(spec.id, soon()).error().code() == Code::not_found);

    REQUIRE(hypervisor->start(world.spec("i-1", 2), soon()));
    CHECK(hypervisor->query(spec.id, soon())->generation == 2);
    REQUIRE(hypervisor->kill(spec.id, soon()));
    CHECK(world.events.wait(Kind::exited)->generation == 2);
}

CONTRACT("reset restarts the guest and it stays running") {
    World world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1");
    REQUIRE(hypervisor->start(spec, soon()));
    world.wait_booted(spec);
    REQUIRE(hypervisor->reset(spec.id, soon()));
    const auto reset = world.events.wait(Kind::reset);
    REQUIRE(reset);
    CHECK_FALSE(reset->event.by_guest);
    world.wait_booted(spec, 2);
    CHECK(hypervisor->query(spec.id, soon())->state == MachineState::running);
}

CONTRACT("SHD-1: a guest reboot stays running") {
    World world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1");
    REQUIRE(hypervisor->start(spec, soon()));
    world.wait_booted(spec);
    world.guest_reset(spec);
    // QEMU tells of resets by its firmware too; wait for the guest's own.
    const auto reset = world.events.wait(Kind::reset);
    REQUIRE(reset);
    CHECK(reset->event.by_guest);
    world.wait_booted(spec, 2);
    CHECK(hypervisor->query(spec.id, soon())->state == MachineState::running);
}

CONTRACT("SHD-1: a guest shutdown is told, and the process waits to be ended") {
    World world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1", 3);
    REQUIRE(hypervisor->start(spec, soon()));
    world.wait_booted(spec);
    world.guest_power_off(spec);
    const auto shutdown = world.events.wait(Kind::shutdown_guest);
    REQUIRE(shutdown);
    CHECK(shutdown->generation == 3);
    CHECK(eventually(
        [&] { return hypervisor->query(spec.id, soon())->state == MachineState::shut_down; }));
    CHECK(world.events.count(Kind::exited) == 0);
    REQUIRE(hypervisor->kill(spec.id, soon()));
    CHECK(world.events.wait(Kind::exited));
}

CONTRACT("RBT-1: a machine that shut down starts again by a reset, as the same process") {
    World world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1");
    const auto started = hypervisor->start(spec, soon());
    REQUIRE(started);
    world.wait_booted(spec);
    world.guest_power_off(spec);
    REQUIRE(world.events.wait(Kind::shutdown_guest));
    REQUIRE(eventually(
        [&] { return hypervisor->query(spec.id, soon())->state == MachineState::shut_down; }));
    world.guest_stays_on(spec);
    REQUIRE(hypervisor->reset(spec.id, soon()));
    world.wait_booted(spec, 2);
    const auto info = hypervisor->query(spec.id, soon());
    CHECK(info->state == MachineState::running);
    CHECK(info->pid == started->pid);
}

CONTRACT("SPC-3: a guest that finds no space is paused, told of, and goes on when resumed") {
    World world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec_on_full_store("i-1");
    const auto started = hypervisor->start(spec, soon());
    REQUIRE_MESSAGE(started, started.error().to_string());
    world.wait_booted(spec);
    world.guest_needs_space(spec);
    const auto refused = world.events.wait(Kind::io_error);
    REQUIRE(refused);
    CHECK(refused->id == spec.id);
    CHECK(refused->event.no_space);
    CHECK(refused->event.disk == spec.disks[0].id);
    REQUIRE(eventually(
        [&] { return hypervisor->query(spec.id, soon())->state == MachineState::io_error; }));
    const Status resumed = hypervisor->resume(spec.id, soon());
    REQUIRE_MESSAGE(resumed, resumed.error().to_string());
    CHECK(hypervisor->query(spec.id, soon())->state == MachineState::running);
    CHECK(hypervisor->resume(spec.id, soon()));  // it runs already
    world.wait_booted(spec, 2);                  // its write was asked again, and it went on
    CHECK(hypervisor->query(spec.id, soon())->pid == started->pid);
}

CONTRACT("a machine that has shut down, or is not there, is not resumed") {
    World world;
    const auto hypervisor = world.open();
    CHECK(hypervisor->resume(MachineId("i-9"), soon()).error().code() == Code::not_found);
    const MachineSpec spec = world.spec("i-1");
    REQUIRE(hypervisor->start(spec, soon()));
    world.wait_booted(spec);
    world.guest_power_off(spec);
    REQUIRE(eventually(
        [&] { return hypervisor->query(spec.id, soon())->state == MachineState::shut_down; }));
    CHECK(hypervisor->resume(spec.id, soon()).error().code() == Code::failed_precondition);
    CHECK(hypervisor->query(spec.id, soon())->state == MachineState::shut_down);
}

CONTRACT("VOL-4: a running machine takes one more disk, once; its root cannot be unplugged") {
    World world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1");
    REQUIRE(hypervisor->start(spec, soon()));
    DiskSpec extra = world.spec("i-2").disks[0];  // served, and nobody's
    extra.id = "extra";
    extra.boot_index.reset();
    const Status attached = hypervisor->attach_disk(spec.id, extra, soon());
    REQUIRE_MESSAGE(attached, attached.error().to_string());
    CHECK(hypervisor->attach_disk(spec.id, extra, soon()));
    const auto unknown = hypervisor->detach_disk(spec.id, "other", soon());
    REQUIRE(unknown);
    CHECK(*unknown);
    const auto root = hypervisor->detach_disk(spec.id, spec.disks[0].id, soon());
    REQUIRE_FALSE(root);
    CHECK(root.error().code() == Code::failed_precondition);
    CHECK(hypervisor->query(spec.id, soon())->state == MachineState::running);
    CHECK(hypervisor->attach_disk(MachineId("i-9"), extra, soon()).error().code() ==
          Code::not_found);
}

CONTRACT("VOL-5: a disk is cut off from a guest that does not let it go, and given back") {
    World world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1");
    REQUIRE(hypervisor->start(spec, soon()));
    DiskSpec extra = world.spec("i-2").disks[0];
    extra.id = "extra";
    extra.boot_index.reset();
    REQUIRE(hypervisor->attach_disk(spec.id, extra, soon()));
    for (int round = 0; round < 2; ++round) {
        for (int again = 0; again < 2; ++again) {
            const Status cut = hypervisor->cut_off_disk(spec.id, extra.id, 1U << 20, soon());
            REQUIRE_MESSAGE(cut, cut.error().to_string());
        }
        for (int again = 0; again < 2; ++again) {
            const Status attached = hypervisor->attach_disk(spec.id, extra, soon());
            REQUIRE_MESSAGE(attached, attached.error().to_string());
        }
    }
    CHECK(hypervisor->cut_off_disk(spec.id, "other", 1U << 20, soon()));
    CHECK(hypervisor->cut_off_disk(spec.id, spec.disks[0].id, 1U << 20, soon()).error().code() ==
          Code::failed_precondition);
    CHECK(hypervisor->query(spec.id, soon())->state == MachineState::running);
}

CONTRACT("a running machine is told that a disk became larger") {
    World world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1");
    REQUIRE(hypervisor->start(spec, soon()));
    world.wait_booted(spec);
    constexpr std::uint64_t kSize = 3U << 20;
    world.serve_more(spec, kSize);
    for (int again = 0; again < 2; ++again) {
        const bool grown = eventually([&] {
            const auto told = hypervisor->grow_disk(spec.id, spec.disks[0].id, kSize, soon());
            REQUIRE_MESSAGE(told, told.error().to_string());
            return *told;
        });
        CHECK(grown);
    }
    const auto unknown = hypervisor->grow_disk(spec.id, "other", kSize, soon());
    REQUIRE(unknown);
    CHECK(*unknown);
    CHECK(hypervisor->query(spec.id, soon())->state == MachineState::running);
    CHECK(hypervisor->grow_disk(MachineId("i-9"), "root", kSize, soon()).error().code() ==
          Code::not_found);
}

CONTRACT("STP-1: a guest that obeys the power button shuts down") {
    World world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1");
    REQUIRE(hypervisor->start(spec, soon()));
    world.wait_booted(spec);
    REQUIRE(hypervisor->power_down(spec.id, soon()));
    CHECK(world.events.wait(Kind::shutdown_guest));
}

CONTRACT("STP-1: a guest that ignores the power button runs on until killed") {
    World world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1");
    world.ignore_button(spec);
    REQUIRE(hypervisor->start(spec, soon()));
    world.wait_booted(spec);
    REQUIRE(hypervisor->power_down(spec.id, soon()));
    const auto patience = Deadline::after(std::chrono::milliseconds(300));
    CHECK_FALSE(world.events.wait(Kind::shutdown_guest, patience));
    CHECK(hypervisor->query(spec.id, soon())->state == MachineState::running);
    CHECK(hypervisor->kill(spec.id, soon()));
    CHECK(world.events.count(Kind::shutdown_guest) == 0);
}

CONTRACT("a process that dies is told with its status") {
    World world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1");
    const auto info = hypervisor->start(spec, soon());
    REQUIRE(info);
    world.crash(*info);
    const auto exited = world.events.wait(Kind::exited);
    REQUIRE(exited);
    CHECK(exited->event.exit_status == 128 + 11);
    CHECK(hypervisor->machines().empty());
}

CONTRACT("machines outlive the hypervisor and are adopted with their events") {
    World world;
    const MachineSpec spec = world.spec("i-1", 5);
    int pid = 0;
    {
        const auto hypervisor = world.open();
        const auto started = hypervisor->start(spec, soon());
        REQUIRE(started);
        pid = started->pid;
        world.wait_booted(spec);
    }
    const auto hypervisor = world.open();
    CHECK(hypervisor->machines().empty());
    CHECK(hypervisor->query(spec.id, soon()).error().code() == Code::not_found);
    const auto adopted = hypervisor->adopt(spec.id, spec.directory, soon());
    REQUIRE_MESSAGE(adopted, adopted.error().to_string());
    CHECK(adopted->state == MachineState::running);
    CHECK(adopted->generation == 5);
    CHECK(adopted->pid == pid);
    // Adopting what is known changes nothing.
    CHECK(hypervisor->adopt(spec.id, spec.directory, soon())->pid == pid);
    CHECK(hypervisor->start(spec, soon())->pid == pid);
    world.guest_power_off(spec);
    CHECK(world.events.wait(Kind::shutdown_guest)->generation == 5);
    CHECK(hypervisor->kill(spec.id, soon()));
    CHECK(world.events.wait(Kind::exited));
}

CONTRACT("a guest shutdown while nobody listens is found at adoption") {
    World world;
    const MachineSpec spec = world.spec("i-1");
    {
        const auto hypervisor = world.open();
        REQUIRE(hypervisor->start(spec, soon()));
        world.wait_booted(spec);
    }
    world.guest_power_off(spec);
    const auto hypervisor = world.open();
    // The guest may need one more tick to see its order.
    CHECK(eventually([&] {
        const auto adopted = hypervisor->adopt(spec.id, spec.directory, soon());
        return adopted && adopted->state == MachineState::shut_down;
    }));
}

CONTRACT("a process that ended while nobody listened is gone at adoption") {
    World world;
    const MachineSpec spec = world.spec("i-1");
    std::optional<MachineInfo> info;
    {
        const auto hypervisor = world.open();
        info = *hypervisor->start(spec, soon());
    }
    world.crash(*info);
    const auto hypervisor = world.open();
    CHECK(eventually([&] {
        const auto adopted = hypervisor->adopt(spec.id, spec.directory, soon());
        return adopted && adopted->state == MachineState::gone;
    }));
    // adopt() may have met the process while it was dying; after its exit nothing is known.
    CHECK(eventually([&] { return hypervisor->machines().empty(); }));
}

CONTRACT("nothing to adopt is gone, and unknown machines are not found") {
    World world;
    const auto hypervisor = world.open();
    const MachineId id("i-none");
    const auto adopted = hypervisor->adopt(id, world.directory.path() + "/none", soon());
    REQUIRE(adopted);
    CHECK(adopted->state == MachineState::gone);
    CHECK(hypervisor->power_down(id, soon()).error().code() == Code::not_found);
    CHECK(hypervisor->reset(id, soon()).error().code() == Code::not_found);
    CHECK(hypervisor->kill(id, soon()).error().code() == Code::not_found);
    CHECK(hypervisor->query(id, soon()).error().code() == Code::not_found);
}

CONTRACT("CON-4: a machine shows its screen") {
    World world;
    const auto hypervisor = world.open();
    CHECK(hypervisor->screenshot(MachineId("i-1"), false, soon()).error().code() ==
          Code::not_found);
    const MachineSpec spec = world.spec("i-1");
    REQUIRE(hypervisor->start(spec, soon()));
    world.wait_booted(spec);
    const auto picture = hypervisor->screenshot(spec.id, true, soon());
    REQUIRE_MESSAGE(picture, picture.error().to_string());
    CHECK(picture->width >= 320);
    CHECK(picture->height >= 200);
    CHECK(picture->rgb.size() == std::size_t{picture->width} * picture->height * 3);
    CHECK(hypervisor->query(spec.id, soon())->state == MachineState::running);
}

CONTRACT("a failed start is an error, tells no event and leaves nothing behind") {
    World world;
    const auto hypervisor = world.open();
    MachineSpec spec = world.spec("i-1");
    world.break_next_start(spec);
    CHECK_FALSE(hypervisor->start(spec, soon()));
    CHECK(hypervisor->machines().empty());
    CHECK(hypervisor->adopt(spec.id, spec.directory, soon())->state == MachineState::gone);
    CHECK(world.events.count(Kind::exited) == 0);
    REQUIRE(hypervisor->start(world.spec("i-1"), soon()));
}

CONTRACT("a specification that no machine can be made from is refused") {
    World world;
    const auto hypervisor = world.open();
    MachineSpec spec = world.spec("i-1");
    spec.uuid = "12345678-0000-4000-8000-000000000001";
    const auto started = hypervisor->start(spec, soon());
    REQUIRE_FALSE(started);
    CHECK(started.error().code() == Code::invalid_argument);
    CHECK(hypervisor->machines().empty());
}
