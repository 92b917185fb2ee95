// SPDX-License-Identifier: Apache-2.0
// The fields of volumes, and of what is done to them and to make them; fields.h says how to read
// them. Thread model:
// pure functions.
#pragma once

#include <string_view>

#include "catalog/detail/fields_identity.h"
#include "catalog/repository.h"

namespace kiln::catalog::detail {

template <class V, Is<model::SourceImage> T>
void fields(V& v, T& x) {
    v.field("id", x.id);
    v.field("region", x.region);
}

template <class V, Is<model::VolumeAttachment> T>
void fields(V& v, T& x) {
    v.field("instance", x.instance_id);
    v.field("device", x.device);
    v.field("state", x.state);
    v.field("delete_on_termination", x.delete_on_termination);
    v.field("time", x.attach_time);
    v.field("forced", x.forced);
    v.field("place", x.place);
}

template <class V, Is<model::VolumeEventNote> T>
void fields(V& v, T& x) {
    v.field("id", x.id);
    v.field("fault", x.fault);
    v.field("instance", x.instance_id);
    v.field("since", x.since);
}

template <class V, Is<model::VolumeShape> T>
void fields(V& v, T& x) {
    v.field("size_gib", x.size_gib);
    v.field("type", x.type);
    v.field("iops", x.iops);
    v.field("throughput_mibps", x.throughput_mibps);
    v.field("multi_attach", x.multi_attach);
}

template <class V, Is<model::VolumeModification> T>
void fields(V& v, T& x) {
    v.field("state", x.state);
    v.field("message", x.status_message);
    v.field("original", x.original);
    v.field("target", x.target);
    v.field("started", x.started);
    v.field("ended", x.ended);
}

template <class V, Is<model::Volume> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("region", x.region);
    v.column("owner", x.owner_id);
    v.column("state", x.state);
    v.column("snapshot", x.snapshot_id);
    v.column("base_content", x.base_content);
    v.column("active_layer", x.active_layer);
    v.column("created", x.created);
    v.field("attachments", x.attachments);
    v.field("modification", x.modification);
    v.field("modified", x.modified);
    v.field("zone", x.availability_zone);
    v.field("outpost", x.outpost_arn);
    v.field("size_gib", x.size_gib);
    v.field("type", x.type);
    v.field("iops", x.iops);
    v.field("throughput_mibps", x.throughput_mibps);
    v.field("multi_attach", x.multi_attach);
    v.field("encrypted", x.encrypted);
    v.field("kms_key", x.kms_key_id);
    v.field("lineage", x.lineage);
    v.field("source_volume", x.source_volume);
    v.field("source_image", x.source_image);
    v.field("fast_restored", x.fast_restored);
    v.field("initialization_rate_mibps", x.initialization_rate_mibps);
    v.field("auto_enable_io", x.auto_enable_io);
    v.field("event", x.event);
    if constexpr (V::kWrites) {
        for (const auto& attachment : x.attachments) {
            v.link("volume.instance", attachment.instance_id.str());
        }
    }
}

template <class V, Is<model::ReplaceRootTask> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("region", x.region);
    v.column("owner", x.owner_id);
    v.column("instance", x.instance_id);
    v.column("state", x.state);
    v.column("created", x.created);
    v.field("snapshot", x.snapshot_id);
    v.field("image", x.image_id);
    v.field("old_root", x.old_root);
    v.field("new_root", x.new_root);
    v.field("volume_given", x.volume_given);
    v.field("delete_replaced", x.delete_replaced_root);
    v.field("switched", x.switched);
    v.field("failure", x.failure);
    v.field("completed", x.completed);
}

template <class V, Is<model::PreparingMachine> T>
void fields(V& v, T& x) {
    v.field("token", x.token);
    v.field("instance", x.instance_id);
    v.field("snapshot", x.snapshot_id);
    v.field("cuts", x.cuts);
    v.field("begun", x.begun);
    v.field("given_up", x.given_up);
}

template <class V, Is<model::FastLaunch> T>
void fields(V& v, T& x) {
    v.field("account", x.account);
    v.field("begun", x.begun);
    v.field("state", x.state);
    v.field("reason", x.reason);
    v.field("changed", x.changed);
    v.field("target", x.target);
    v.field("parallel", x.parallel);
    v.field("template", x.template_id);
    v.field("template_name", x.template_name);
    v.field("template_version", x.template_version);
    v.field("force", x.force);
    v.field("ready", x.ready);
    v.field("machines", x.machines);
}

template <>
inline constexpr std::string_view kTable<model::Volume> = "volumes";
template <>
inline constexpr std::string_view kTable<model::ReplaceRootTask> = "replace_root_tasks";

}  // namespace kiln::catalog::detail
