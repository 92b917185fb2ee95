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

Status add_node(QmpClient& control, const DiskSpec& disk, Deadline deadline) {
    const Json node = {{"driver", "nbd"},
                       {"node-name", disk.id},
                       {"server", {{"type", "unix"}, {"path", disk.nbd_socket}}},
                       {"export", disk.nbd_export},
                       {"reconnect-delay", kReconnectSeconds},
                       {"discard", "unmap"}};
    const auto added = control.execute("blockdev-add", node.dump(), deadline);
    return added || says(added.error(), "Duplicate node") || says(added.error(), "already exists")
               ? ok()
               : Status(added.error());
}

Status remove_node(QmpClient& control, const std::string& disk, Deadline deadline) {
    const Json node = {{"node-name", disk}};
    const auto removed = control.execute("blockdev-del", node.dump(), deadline);
    return removed || says(removed.error(), "Failed to find node") ? ok() : Status(removed.error());
}

}  // namespace

Status plug_disk(QmpClient& control, const DiskSpec& disk, Deadline deadline) {
    TRY_ASSIGN(const bool present, has_device(control, disk.id, deadline));
    if (present) {
        return ok();
    }
    TRY(add_node(control, disk, deadline));
    for (std::size_t port = 0; port < kMaxPorts; ++port) {
        const Json device = {{"driver", "virtio-blk-pci"},
                             {"id", device_of(disk.id)},
                             {"drive", disk.id},
                             {"bus", port_name(port)},
                             {"serial", disk.serial},
                             {"werror", "stop"},
                             {"rerror", "stop"}};
        const auto added = control.execute("device_add", device.dump(), deadline);
        if (added) {
            return ok();
        }
        if (says(added.error(), "not found")) {
            break;  // the last port was before this one
        }
        if (!says(added.error(), "in use by") && !says(added.error(), "already occupied") &&
            !says(added.error(), "not available")) {
            const Status undone = remove_node(control, disk.id, deadline);
            return undone ? Status(added.error()) : undone;
        }
    }
    TRY(remove_node(control, disk.id, deadline));
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
    TRY(remove_node(control, disk, deadline));
    return true;
}

}  // namespace kiln::compute
