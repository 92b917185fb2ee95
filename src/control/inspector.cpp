// SPDX-License-Identifier: Apache-2.0
#include "control/inspector.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/image_rules.h"
#include "control/instances.h"

namespace kiln::control {
namespace {

Deadline call_deadline() {
    return Deadline::after(std::chrono::seconds(30));
}

}  // namespace

Result<model::Volume> Inspector::find(const Caller& caller, const model::VolumeId& id) {
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<model::Volume> {
        TRY_ASSIGN(const auto volume, tx.volumes().find(id));
        if (!volume || volume->owner_id != caller.account || volume->region != caller.region) {
            return errors::volume_not_found(id);
        }
        return *volume;
    });
}

Result<InspectedVolume> Inspector::describe(model::Volume volume,
                                            const model::InstanceId& first) const {
    InspectedVolume seen;
    seen.open = parts_.engine.is_open(block_id(volume.id));
    TRY(parts_.store.read([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(seen.contents, content_chain(tx, volume.base_content));
        for (const model::VolumeAttachment& attachment : volume.attachments) {
            TRY_ASSIGN(const auto instance, tx.instances().get(attachment.instance_id));
            InspectedAttachment one{attachment, instance.disk_transport,
                                    access_.socket_path(volume.id, attachment.place)};
            seen.attachments.insert(
                attachment.instance_id == first ? seen.attachments.begin() : seen.attachments.end(),
                std::move(one));
        }
        return ok();
    }));
    seen.volume = std::move(volume);
    return seen;
}

Result<InspectedInstance> Inspector::instance(const Caller& caller, const model::InstanceId& id) {
    InspectedInstance seen;
    TRY_ASSIGN(
        const auto volumes,
        parts_.store.read([&](catalog::Transaction& tx) -> Result<std::vector<model::Volume>> {
            TRY_ASSIGN(auto found, find_instances(tx, caller, {id}));
            seen.instance = std::move(found.front());
            catalog::VolumeQuery query;
            query.attached_to = {id};
            return tx.volumes().list(query);
        }));
    for (const model::Volume& volume : volumes) {
        TRY_ASSIGN(seen.volumes.emplace_back(), describe(volume, id));
    }
    seen.waits_for_space = space_.wait_of(id);
    seen.serial_log = worker_.serial_log(id);
    if (auto network = networks_.status(id, call_deadline())) {
        seen.network = std::move(*network);
    } else if (network.error().code() != Code::not_found) {
        seen.network = compute::GuestNetworkStatus{};  // its process is being started again
    }
    auto machine = parts_.hypervisor.query(machine_id(id), call_deadline());
    if (machine) {
        seen.machine = std::move(*machine);
    } else if (machine.error().code() != Code::not_found) {
        // As while it starts, or after its control connection ended: everything else is still
        // known.
        seen.machine_silent = machine.error().to_string();
    }
    return seen;
}

Result<InspectedVolume> Inspector::volume(const Caller& caller, const model::VolumeId& id) {
    TRY_ASSIGN(auto found, find(caller, id));
    return describe(std::move(found), {});
}

InspectedDisk Inspector::look_at(const Caller& caller, const model::SnapshotId& id) {
    const auto seen = disks_.of(caller, id);
    if (!seen) {
        return {nullptr, seen.error().message()};
    }
    return {*seen, ""};
}

Result<InspectedSnapshot> Inspector::snapshot(const Caller& caller, const model::SnapshotId& id) {
    TRY_ASSIGN(
        auto seen, parts_.store.read([&](catalog::Transaction& tx) -> Result<InspectedSnapshot> {
            TRY_ASSIGN(const auto found, tx.snapshots().find(id));
            if (!found || found->owner_id != caller.account || found->region != caller.region ||
                found->state == model::SnapshotState::deleted) {
                return errors::snapshot_not_found(id);
            }
            TRY_ASSIGN(auto chain, content_chain(tx, found->content));
            return InspectedSnapshot{*found, std::move(chain), {}};
        }));
    seen.disk = look_at(caller, id);
    if (const auto usage = usage_of(parts_, seen.snapshot)) {
        seen.usage = *usage;
    } else {
        seen.usage_unknown = usage.error().message();
    }
    return seen;
}

Result<InspectedImage> Inspector::image(const Caller& caller, const model::ImageId& id) {
    InspectedImage seen;
    TRY_ASSIGN(seen.image, parts_.store.read([&](catalog::Transaction& tx) -> Result<model::Image> {
        TRY_ASSIGN(const auto image, tx.images().find(id));
        if (!image || image->region != caller.region ||
            image->state == model::ImageState::deregistered || !may_use(*image, caller)) {
            return errors::images_not_found({id.str()});
        }
        return *image;
    }));
    seen.root_snapshot = root_snapshot_of(seen.image);
    if (!seen.root_snapshot) {
        seen.disk.why_not = "it has no root snapshot";
        return seen;
    }
    seen.disk = look_at(caller, *seen.root_snapshot);
    if (seen.disk.seen == nullptr) {
        return seen;
    }
    const auto& boot_mode = seen.image.boot_mode;
    const disks::ImageClaims claims{
        std::string(model::to_string(seen.image.architecture)),
        boot_mode ? std::string(model::to_string(*boot_mode)) : "",
        seen.image.virtualization_type == model::VirtualizationType::hvm};
    seen.warnings = disks::boot_warnings(*seen.disk.seen);
    for (std::string& warning : disks::claim_warnings(*seen.disk.seen, claims)) {
        seen.warnings.push_back(std::move(warning));
    }
    return seen;
}

Result<model::Instance> Inspector::find_running(const Caller& caller, const model::InstanceId& id) {
    return parts_.store.read(
        [&](catalog::Transaction& tx) { return find_running_instance(tx, caller, id); });
}

Result<UniqueFd> Inspector::open_serial(const Caller& caller, const model::InstanceId& id) {
    TRY(find_running(caller, id));
    auto port = parts_.hypervisor.open_serial(machine_id(id));
    if (!port && port.error().code() == Code::unsupported) {
        return Error::api(Code::unsupported, "UnsupportedOperation", port.error().message());
    }
    if (!port) {
        return Error::api(Code::unavailable, "Unavailable",
                          fmt::format("The serial port of '{}' does not answer at the moment: {}",
                                      id.str(), port.error().message()));
    }
    return port;
}

Result<compute::PortForward> Inspector::forward_of(const Caller& caller,
                                                   const model::InstanceId& id,
                                                   std::uint16_t port) {
    TRY_ASSIGN(const model::Instance instance, find_running(caller, id));
    const auto forward = networks_.forward_of(instance, port, call_deadline());
    if (!forward) {
        return Error::api(
            Code::unavailable, "Unavailable",
            fmt::format("The network of '{}' does not answer at the moment; try again.", id.str()));
    }
    if (*forward) {
        return **forward;
    }
    if (instance.public_ip.empty()) {
        return Error::api(Code::failed_precondition, "NotReachable",
                          fmt::format("The instance '{}' has no public address, so nothing reaches "
                                      "it from outside.",
                                      id.str()));
    }
    const std::string group =
        instance.security_groups.empty() ? "sg-..." : instance.security_groups.front().str();
    return Error::api(
        Code::failed_precondition, "NotReachable",
        fmt::format("No rule of the security groups of '{}' opens TCP port {} to this host. To "
                    "open it: aws ec2 authorize-security-group-ingress --group-id {} --protocol "
                    "tcp --port {} --cidr 127.0.0.0/8",
                    id.str(), port, group, port));
}

Result<std::string> Inspector::export_volume(const Caller& caller, const model::VolumeId& id) {
    TRY_ASSIGN(const auto found, find(caller, id));
    TRY(access_.open_read_only(found.id, call_deadline()));
    return access_.read_only_socket_path(id);
}

Status Inspector::unexport_volume(const Caller& caller, const model::VolumeId& id) {
    TRY_ASSIGN(const auto found, find(caller, id));
    return access_.close_read_only(found.id, call_deadline());
}

}  // namespace kiln::control
