// SPDX-License-Identifier: Apache-2.0
#include "api/kiln/json.h"

#include <nlohmann/json.hpp>

#include "disks/inspection.h"

namespace kiln::api {
namespace {

using nlohmann::json;

std::string_view accelerator_name(compute::Accelerator accelerator) {
    switch (accelerator) {
        case compute::Accelerator::automatic:
            return "";
        case compute::Accelerator::kvm:
            return "kvm";
        case compute::Accelerator::tcg:
            return "tcg";
    }
    return "";
}

json chain_json(const control::ContentChain& chain) {
    json out = json::array();
    for (const model::Content& content : chain) {
        json& one = out.emplace_back(json{{"contentId", content.id.str()},
                                          {"state", model::to_string(content.state)},
                                          {"sizeBytes", content.size_bytes}});
        if (!content.layer.empty()) {
            one["layer"] = content.layer.str();
        }
        for (const model::LayerId& spare : content.spares) {
            one["spareLayers"].push_back(spare.str());
        }
        if (!content.root_digest.empty()) {
            one["root"] = content.root_digest;
        }
    }
    return out;
}

json volume_json(const control::InspectedVolume& seen) {
    const model::Volume& volume = seen.volume;
    json out{{"volumeId", volume.id.str()},
             {"state", model::to_string(volume.state)},
             {"sizeGiB", volume.size_gib},
             {"baseContent", volume.base_content.str()},
             {"activeLayer", volume.active_layer.str()},
             {"contents", chain_json(seen.contents)},
             {"open", seen.open}};
    for (std::size_t i = 0; i < seen.attachments.size(); ++i) {  // VOL-11: more than one
        const control::InspectedAttachment& one = seen.attachments[i];
        json& to = i == 0 ? out : out["otherAttachments"].emplace_back();
        to["instanceId"] = one.attachment.instance_id.str();
        to["device"] = one.attachment.device;
        if (seen.open) {
            to["socket"] = one.socket;
            to["transport"] = model::to_string(one.transport);
        }
    }
    return out;
}

void add_disk(const control::InspectedDisk& disk, json& out) {
    if (disk.seen != nullptr) {
        out["disk"] = json::parse(disks::inspection_json(*disk.seen));
    } else {
        out["diskNotRead"] = disk.why_not;
    }
}

json network_json(const compute::GuestNetworkStatus& network) {
    json out{{"connected", network.connected},
             {"forwards", json::array()},
             {"droppedFromGuest", network.dropped_from_guest},
             {"droppedToGuest", network.dropped_to_guest},
             {"restarts", network.restarts}};
    if (network.tunnel) {
        out["tunnel"] = {{"address", network.tunnel->address.text()},
                         {"device", network.tunnel->device}};
    }
    if (network.pid != 0) {
        out["pid"] = network.pid;
    }
    for (const compute::PortForward& forward : network.forwards) {
        out["forwards"].push_back({{"guestPort", forward.guest_port},
                                   {"address", forward.address.text()},
                                   {"port", forward.port}});
    }
    return out;
}

}  // namespace

std::string to_json(const control::InspectedVolume& seen) {
    return volume_json(seen).dump();
}

std::string to_json(const control::InspectedSnapshot& seen) {
    json out{{"snapshotId", seen.snapshot.id.str()},
             {"state", model::to_string(seen.snapshot.state)},
             {"volumeId", seen.snapshot.volume_id.str()},
             {"contents", chain_json(seen.contents)}};
    if (seen.usage) {
        out["usage"] = {{"logicalBytes", seen.usage->logical_bytes},
                        {"fullBytes", seen.usage->full_bytes},
                        {"uniqueBytes", seen.usage->unique_bytes},
                        {"sharedBytes", seen.usage->shared_bytes}};
    } else {
        out["usageUnknown"] = seen.usage_unknown;
    }
    add_disk(seen.disk, out);
    return out.dump();
}

std::string to_json(const control::InspectedImage& seen) {
    const model::Image& image = seen.image;
    json out{{"imageId", image.id.str()},
             {"name", image.name},
             {"state", model::to_string(image.state)},
             {"architecture", model::to_string(image.architecture)},
             {"rootDeviceName", image.root_device_name},
             {"warnings", seen.warnings}};
    if (image.boot_mode) {
        out["bootMode"] = model::to_string(*image.boot_mode);
    }
    if (seen.root_snapshot) {
        out["rootSnapshotId"] = seen.root_snapshot->str();
    }
    add_disk(seen.disk, out);
    return out.dump();
}

std::string to_json(const control::InspectedInstance& seen) {
    json out{{"instanceId", seen.instance.id.str()},
             {"state", model::to_string(seen.instance.state)},
             {"imageId", seen.instance.image_id.str()},
             {"machine", {{"state", compute::to_string(seen.machine.state)}}},
             {"consoleLog", seen.serial_log},
             {"volumes", json::array()}};
    if (!seen.machine_silent.empty()) {
        out["machine"] = {{"state", "silent"}, {"why", seen.machine_silent}};
    }
    if (seen.machine.pid != 0) {
        out["machine"]["pid"] = seen.machine.pid;
        out["machine"]["accelerator"] = accelerator_name(seen.machine.accelerator);
    }
    if (seen.waits_for_space) {
        json& wait = out["machine"]["waitsForSpace"];
        wait["since"] = format_iso8601(seen.waits_for_space->since);
        if (!seen.waits_for_space->volume.empty()) {
            wait["volumeId"] = seen.waits_for_space->volume;
        }
    }
    if (seen.network) {
        out["network"] = network_json(*seen.network);
    }
    for (const control::InspectedVolume& volume : seen.volumes) {
        out["volumes"].push_back(volume_json(volume));
    }
    return out.dump();
}

std::string to_json(const control::DiskDiff& page) {
    json ranges = json::array();
    for (const block::DataRange& range : page.ranges) {
        ranges.push_back({{"offset", range.offset}, {"length", range.length}});
    }
    json out{{"fromBytes", page.from_bytes},
             {"toBytes", page.to_bytes},
             {"blockBytes", page.block_bytes},
             {"ranges", std::move(ranges)}};
    if (page.next) {
        out["next"] = *page.next;
    }
    return out.dump();
}

}  // namespace kiln::api
