// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/hot_plug.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "compute/qemu/argv.h"
#include "compute/qemu/machine.h"

namespace kiln::compute {
namespace {

using Json = nlohmann::json;

// QEMU tells these apart by their words alone: its error class is GenericError for all of them.
bool says(const Error& error, std::string_view words) {
    return error.code() == Code::failed_precondition &&
           error.message().find(words) != std::string::npos;
}

std::string device_of(const std::string& disk) {
    return std::string(kDiskDevicePrefix) + disk;
}

Result<bool> has_device(QmpClient& control, const std::string& disk, Deadline deadline) {
    const Json where = {{"path", "/machine/peripheral/" + device_of(disk)}};
    const auto found = control.execute("qom-list", where.dump(), deadline);
    if (found) {
        return true;
    }
    if (says(found.error(), "not found")) {
        return false;
    }
    return found.error();
}

// What a device that was cut off stands on.
std::string nothing_of(const std::string& disk) {
    return "gone-" + disk;
}

// A node that is there already is fine.
Status add_node(QmpClient& control, const Json& node, Deadline deadline) {
    const auto added = control.execute("blockdev-add", node.dump(), deadline);
    return added || says(added.error(), "Duplicate node") || says(added.error(), "already exists")
               ? ok()
               : Status(added.error());
}

Status add_disk_node(QmpClient& control, const DiskSpec& disk, Deadline deadline) {
    const Json node = {{"driver", "nbd"},
                       {"node-name", disk.id},
                       {"server", {{"type", "unix"}, {"path", disk.socket}}},
                       {"export", disk.nbd_export},
                       {"reconnect-delay", kReconnectSeconds},
                       {"discard", "unmap"}};
    return add_node(control, node, deadline);
}

// A connection that is there already is fine: what it is for is told by its name.
Status add_chardev(QmpClient& control, const DiskSpec& disk, Deadline deadline) {
    const Json address = {{"type", "unix"}, {"data", {{"path", disk.socket}}}};
    const Json backend = {
        {"type", "socket"},
        {"data", {{"addr", address}, {"server", false}, {"reconnect", kVhostReconnectSeconds}}}};
    const Json chardev = {{"id", disk_chardev(disk.id)}, {"backend", backend}};
    const auto added = control.execute("chardev-add", chardev.dump(), deadline);
    return added || says(added.error(), "already exists") ? ok() : Status(added.error());
}

// False: its device has only just gone, and still holds it.
Result<bool> remove_chardev(QmpClient& control, const std::string& disk, Deadline deadline) {
    const Json chardev = {{"id", disk_chardev(disk)}};
    const auto removed = control.execute("chardev-remove", chardev.dump(), deadline);
    if (removed || says(removed.error(), "not found")) {
        return true;
    }
    return says(removed.error(), "busy") ? Result<bool>(false) : Result<bool>(removed.error());
}

Status remove_node(QmpClient& control, const std::string& disk, Deadline deadline) {
    const Json node = {{"node-name", disk}};
    const auto removed = control.execute("blockdev-del", node.dump(), deadline);
    return removed || says(removed.error(), "Failed to find node") ? ok() : Status(removed.error());
}

// QEMU changes what a running device stands on since 6.1, between two requests. It aborts when that
// is the node it stands on already.
Status set_node(QmpClient& control, const std::string& disk, const std::string& node,
                Deadline deadline) {
    Json change = {{"path", "/machine/peripheral/" + device_of(disk)}, {"property", "drive"}};
    TRY_ASSIGN(const QmpMessage now, control.execute("qom-get", change.dump(), deadline));
    if (now.string("return") == node) {
        return ok();
    }
    change["value"] = node;
    const auto changed = control.execute("qom-set", change.dump(), deadline);
    return changed ? ok() : Status(changed.error());
}

// The root disk is on the bus itself, all others behind ports.
Status check_behind_port(QmpClient& control, const std::string& disk, Deadline deadline) {
    const Json question = {{"path", "/machine/peripheral/" + device_of(disk)},
                           {"property", "parent_bus"}};
    TRY_ASSIGN(const QmpMessage bus, control.execute("qom-get", question.dump(), deadline));
    return bus.string("return").starts_with("/machine/peripheral/")
               ? ok()
               : Status(Error(Code::failed_precondition, "the root disk cannot be cut off"));
}

Result<bool> has_node(QmpClient& control, const std::string& node, Deadline deadline) {
    // There is no look at one node by its name; creating it a second time tells.
    const Json probe = {{"driver", "null-co"}, {"node-name", node}, {"size", 512}};
    const auto added = control.execute("blockdev-add", probe.dump(), deadline);
    if (added) {
        TRY(remove_node(control, node, deadline));
        return false;
    }
    return says(added.error(), "Duplicate node") || says(added.error(), "already exists")
               ? Result<bool>(true)
               : Result<bool>(added.error());
}

// Of a device that is there: it may have been cut off before.
Status give_back(QmpClient& control, const DiskSpec& disk, Deadline deadline) {
    TRY_ASSIGN(const bool whole, has_node(control, disk.id, deadline));
    if (whole) {
        return ok();
    }
    TRY(add_disk_node(control, disk, deadline));
    TRY(set_node(control, disk.id, disk.id, deadline));
    return remove_node(control, nothing_of(disk.id), deadline);
}

Status add_back_end(QmpClient& control, const DiskSpec& disk, Deadline deadline) {
    switch (disk.transport) {
        case DiskTransport::nbd:
            return add_disk_node(control, disk, deadline);
        case DiskTransport::vhost_user:
            return add_chardev(control, disk, deadline);
        case DiskTransport::file:
            return Error(Code::unsupported, "a file is a disk from the start of a machine only");
    }
    return Error(Code::internal, "unknown disk transport");
}

// Whatever it was. False: not yet.
Result<bool> remove_back_end(QmpClient& control, const std::string& disk, Deadline deadline) {
    TRY(remove_node(control, disk, deadline));
    TRY(remove_node(control, nothing_of(disk), deadline));
    return remove_chardev(control, disk, deadline);
}

Json disk_device(const DiskSpec& disk, std::size_t port) {
    Json device = {{"id", device_of(disk.id)}, {"bus", port_name(port)}};
    switch (disk.transport) {
        case DiskTransport::nbd:
            device["driver"] = "virtio-blk-pci";
            device["drive"] = disk.id;
            device["serial"] = disk.serial;
            device["werror"] = "stop";
            device["rerror"] = "stop";
            break;
        case DiskTransport::vhost_user:
            device["driver"] = "vhost-user-blk-pci";
            device["chardev"] = disk_chardev(disk.id);
            break;
        case DiskTransport::file:
            break;  // add_back_end() has refused it
    }
    return device;
}

Status check_can_be_cut_off(QmpClient& control, const std::string& disk, Deadline deadline) {
    const Json question = {{"path", "/machine/peripheral/" + device_of(disk)},
                           {"property", "type"}};
    TRY_ASSIGN(const QmpMessage type, control.execute("qom-get", question.dump(), deadline));
    return type.string("return").starts_with("vhost-user-")
               ? Status(Error(Code::unsupported, "a vhost-user disk cannot be cut off"))
               : ok();
}

}  // namespace

Status plug_disk(QmpClient& control, const DiskSpec& disk, Deadline deadline) {
    TRY_ASSIGN(const bool present, has_device(control, disk.id, deadline));
    if (present) {
        return disk.transport == DiskTransport::nbd ? give_back(control, disk, deadline) : ok();
    }
    TRY(add_back_end(control, disk, deadline));
    for (std::size_t port = 0; port < kMaxPorts; ++port) {
        const Json device = disk_device(disk, port);
        const auto added = control.execute("device_add", device.dump(), deadline);
        if (added) {
            return ok();
        }
        if (says(added.error(), "not found")) {
            break;  // the last port was before this one
        }
        if (!says(added.error(), "in use by") && !says(added.error(), "already occupied") &&
            !says(added.error(), "not available")) {
            const auto undone = remove_back_end(control, disk.id, deadline);
            return undone ? Status(added.error()) : Status(undone.error());
        }
    }
    TRY(remove_back_end(control, disk.id, deadline));
    return Error(Code::resource_exhausted,
                 "the machine has no free port for another disk until its next start");
}

Result<bool> unplug_disk(QmpClient& control, const std::string& disk, Deadline deadline) {
    TRY_ASSIGN(const bool present, has_device(control, disk, deadline));
    if (present) {
        const Json device = {{"id", device_of(disk)}};
        const auto asked = control.execute("device_del", device.dump(), deadline);
        if (!asked && !says(asked.error(), "in the process of unplug")) {
            return says(asked.error(), "not found") ? Result<bool>(false)
                                                    : Result<bool>(asked.error());
        }
        return false;
    }
    return remove_back_end(control, disk, deadline);
}

Status cut_off_disk(QmpClient& control, const std::string& disk, std::uint64_t size_bytes,
                    Deadline deadline) {
    TRY_ASSIGN(const bool present, has_device(control, disk, deadline));
    if (present) {
        TRY(check_behind_port(control, disk, deadline));
        TRY(check_can_be_cut_off(control, disk, deadline));
        const Json nothing = {{"driver", "null-co"},
                              {"node-name", nothing_of(disk)},
                              {"size", size_bytes},
                              {"read-zeroes", true}};
        TRY(add_node(control, nothing, deadline));
        TRY(set_node(control, disk, nothing_of(disk), deadline));
    }
    return remove_node(control, disk, deadline);
}

// QEMU learns an NBD server's size when it connects, and notices that a connection has ended when
// it uses it: so a read, by way of the human monitor, which alone has one. Until then it says that
// NBD nodes cannot grow. block_resize shows the guest what the server said, not its argument.
Result<bool> grow_disk(QmpClient& control, const std::string& disk, std::uint64_t size_bytes,
                       Deadline deadline) {
    TRY_ASSIGN(const bool present, has_node(control, disk, deadline));
    if (!present) {
        return true;
    }
    const Json read = {{"command-line", fmt::format("qemu-io {} \"read 0 512\"", disk)}};
    const auto poked = control.execute("human-monitor-command", read.dump(), deadline);
    if (!poked) {
        return poked.error();
    }
    const Json resize = {{"node-name", disk}, {"size", size_bytes}};
    const auto resized = control.execute("block_resize", resize.dump(), deadline);
    if (!resized && says(resized.error(), "Cannot")) {
        return false;
    }
    return resized ? Result<bool>(true) : Result<bool>(resized.error());
}

}  // namespace kiln::compute
