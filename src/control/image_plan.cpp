// SPDX-License-Identifier: Apache-2.0
#include "control/image_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/device_mappings.h"
#include "control/volume_limits.h"
#include "control/volume_plan.h"

namespace kiln::control {
namespace {

using model::BlockDeviceMapping;
using model::BlockDeviceMappings;

// An entry with the volume it stands for, if it stands for one.
struct Entry {
    BlockDeviceMapping mapping;
    std::optional<model::Volume> volume;
};

Entry entry_of(const model::Volume& volume, const model::VolumeAttachment& attachment) {
    Entry entry;
    entry.mapping.device_name = attachment.device;
    model::EbsBlockDevice& ebs = entry.mapping.ebs.emplace();
    ebs.volume_size_gib = volume.size_gib;
    ebs.volume_type = volume.type;
    ebs.iops = volume.iops;
    ebs.throughput_mibps = volume.throughput_mibps;
    add_default_performance(ebs);  // VOL-20, of a volume that is older than the rule too
    ebs.encrypted = volume.encrypted;
    ebs.delete_on_termination = attachment.delete_on_termination;
    entry.volume = volume;
    return entry;
}

std::vector<Entry> present_devices(const InstanceView& view) {
    std::vector<Entry> entries;
    for (const model::Volume& volume : view.volumes) {
        const model::VolumeAttachment& attachment = model::attachment_to(volume, view.instance.id);
        if (attachment.state == model::AttachmentState::attached ||
            attachment.state == model::AttachmentState::attaching) {
            entries.push_back(entry_of(volume, attachment));
        }
    }
    for (const BlockDeviceMapping& mapping : view.instance.launch_mappings) {  // CI-8
        if (!mapping.virtual_name.empty()) {
            entries.push_back({mapping, std::nullopt});
        }
    }
    return entries;
}

// CI-9 a: of an attached volume only DeleteOnTermination may change.
Status change_attached(Entry& entry, const model::EbsBlockDevice& over) {
    const auto refuse = [&](std::string_view what) -> Status {
        return errors::invalid_mapping(
            fmt::format("The device '{}' is an attached volume: its {} cannot be changed.",
                        entry.mapping.device_name, what));
    };
    // As it is described: with the figures of its type (VOL-2).
    const model::VolumeShape is = with_type_figures(model::shape_of(*entry.volume));
    if (over.volume_size_gib && *over.volume_size_gib != is.size_gib) {
        return refuse("VolumeSize");
    }
    if (over.volume_type && *over.volume_type != is.type) {
        return refuse("VolumeType");
    }
    if (over.iops && over.iops != is.iops) {
        return refuse("Iops");
    }
    if (over.throughput_mibps && over.throughput_mibps != is.throughput_mibps) {
        return refuse("Throughput");
    }
    if (!over.snapshot_id.empty()) {
        return refuse("SnapshotId");
    }
    if (!over.kms_key_id.empty()) {
        return refuse("KmsKeyId");
    }
    if (over.encrypted.value_or(false) && !entry.volume->encrypted) {
        return refuse("Encrypted");
    }
    model::EbsBlockDevice& ebs = *entry.mapping.ebs;
    ebs.delete_on_termination =
        over.delete_on_termination ? over.delete_on_termination : ebs.delete_on_termination;
    return ok();
}

// CI-9 b.
Result<BlockDeviceMapping> new_volume(catalog::Transaction& tx, const Caller& caller,
                                      const BlockDeviceMapping& over) {
    if (!over.ebs->snapshot_id.empty() && over.ebs->encrypted) {
        return errors::invalid_parameter_combination(
            fmt::format("The parameter Encrypted must not be given for the device '{}', which has "
                        "a snapshot.",
                        over.device_name));
    }
    TRY_ASSIGN(const VolumePlan plan, plan_volume(tx, caller, *over.ebs));
    BlockDeviceMapping mapping = over;
    mapping.ebs = plan.ebs;
    mapping.ebs->encrypted = false;
    mapping.ebs->delete_on_termination = plan.ebs.delete_on_termination.value_or(false);
    return mapping;
}

Status merge(catalog::Transaction& tx, const Caller& caller, std::vector<Entry>& entries,
             const BlockDeviceMapping& over) {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
        return model::same_device(entry.mapping.device_name, over.device_name);
    });
    if (over.no_device) {  // CI-7, CI-9 d
        if (found != entries.end()) {
            entries.erase(found);
        }
        return ok();
    }
    if (found != entries.end() && found->volume && over.ebs) {
        return change_attached(*found, *over.ebs);
    }
    if (found != entries.end() && found->volume) {
        return errors::invalid_mapping(fmt::format(
            "The device '{}' is an attached volume and cannot become an instance store.",
            over.device_name));
    }
    Entry entry{over, std::nullopt};
    if (over.ebs) {
        TRY_ASSIGN(entry.mapping, new_volume(tx, caller, over));
    }
    if (found != entries.end()) {
        *found = std::move(entry);
    } else {
        entries.push_back(std::move(entry));
    }
    return ok();
}

}  // namespace

Result<ImagePlan> plan_image(catalog::Transaction& tx, const Caller& caller,
                             const InstanceView& view, const BlockDeviceMappings& request) {
    TRY(check_mapping_list(request, view.instance.virtualization_type));
    std::vector<Entry> entries = present_devices(view);
    for (const BlockDeviceMapping& over : request) {
        TRY(merge(tx, caller, entries, over));
    }
    const auto is_root = [&](const Entry& entry) {
        return model::same_device(entry.mapping.device_name, view.instance.root_device_name);
    };
    std::stable_partition(entries.begin(), entries.end(), is_root);
    if (entries.empty() || !is_root(entries.front()) || !entries.front().volume) {  // CI-7
        return errors::invalid_mapping(fmt::format("The root device '{}' cannot be left out.",
                                                   view.instance.root_device_name));
    }
    ImagePlan plan;
    for (Entry& entry : entries) {
        if (entry.volume) {
            plan.cuts.push_back({plan.mappings.size(), *std::move(entry.volume)});
        }
        plan.mappings.push_back(std::move(entry.mapping));
    }
    return plan;
}

model::Image inherit_image(const model::Instance& instance) {
    model::Image image;
    image.architecture = instance.architecture;
    image.virtualization_type = instance.virtualization_type;
    image.platform = instance.platform;
    image.platform_details = instance.platform_details;
    image.usage_operation = instance.usage_operation;
    image.root_device_name = instance.root_device_name;
    image.root_device_type = model::RootDeviceType::ebs;
    image.kernel_id = instance.kernel_id;
    image.ramdisk_id = instance.ramdisk_id;
    image.ena_support = instance.ena_support;
    image.sriov_net_simple = instance.sriov_net_simple;
    image.boot_mode = instance.boot_mode;
    image.tpm_v2 = instance.tpm_v2;
    image.product_codes = instance.product_codes;
    image.source_instance_id = instance.id;
    image.source_image_id = instance.image_id;
    image.source_image_region = instance.region;
    return image;
}

}  // namespace kiln::control
