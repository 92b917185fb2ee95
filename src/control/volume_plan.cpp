// SPDX-License-Identifier: Apache-2.0
#include "control/volume_plan.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/device_mappings.h"
#include "control/fast_restores.h"
#include "control/snapshot_access.h"

namespace kiln::control {
namespace {

model::LayerRecord fresh_layer(io::Rng& rng, UnixMillis now, std::uint64_t size_bytes) {
    model::LayerRecord layer;
    layer.id = model::make_id<model::LayerId>(rng);
    layer.size_bytes = size_bytes;
    layer.created = now;
    return layer;
}

// VOL-19
constexpr std::uint32_t kLeastInitializationRate = 100;
constexpr std::uint32_t kMostInitializationRate = 300;

Result<model::Snapshot> find_snapshot_of(catalog::Transaction& tx, const Caller& caller,
                                         const model::SnapshotId& id, const model::Image* image) {
    if (image != nullptr) {
        TRY_ASSIGN(const auto snapshot, tx.snapshots().get(id));
        if (snapshot.owner_id == image->owner_id) {
            return snapshot;
        }
    }
    return find_readable_snapshot(tx, caller, id);
}

}  // namespace

Status check_initialization_rate(const model::EbsBlockDevice& ebs) {
    if (!ebs.initialization_rate_mibps) {
        return ok();
    }
    if (ebs.snapshot_id.empty()) {
        return errors::invalid_parameter_combination(
            "The parameter VolumeInitializationRate may only be given for a volume that is made "
            "of a snapshot.");
    }
    const std::uint32_t rate = *ebs.initialization_rate_mibps;
    if (rate < kLeastInitializationRate || rate > kMostInitializationRate) {
        return errors::invalid_parameter_value(
            fmt::format("Value ({}) for parameter VolumeInitializationRate is invalid. Expecting a "
                        "value from {} to {}.",
                        rate, kLeastInitializationRate, kMostInitializationRate));
    }
    return ok();
}

Result<VolumePlan> plan_volume(catalog::Transaction& tx, const Caller& caller,
                               model::EbsBlockDevice ebs, const model::Image* image) {
    if (ebs.encrypted.value_or(false)) {
        return errors::unsupported(
            "Encrypted volumes are not built yet; leave out Encrypted and KmsKeyId.");
    }
    if (!ebs.kms_key_id.empty()) {
        return errors::key_without_encryption();
    }
    TRY(check_initialization_rate(ebs));
    VolumePlan plan;
    if (!ebs.snapshot_id.empty()) {
        TRY_ASSIGN(const auto snapshot, find_snapshot_of(tx, caller, ebs.snapshot_id, image));
        ebs.volume_size_gib = ebs.volume_size_gib.value_or(snapshot.volume_size_gib);
        if (*ebs.volume_size_gib < snapshot.volume_size_gib) {  // BDM-12
            return errors::invalid_mapping(fmt::format(
                "Volume of size {}GB is smaller than snapshot '{}', expect size >= {}GB",
                *ebs.volume_size_gib, snapshot.id.str(), snapshot.volume_size_gib));
        }
        plan.base = snapshot.content;
        plan.lineage = model::lineage_of(snapshot);
        plan.source_image = snapshot.source_image;
        plan.local_zone = snapshot.local_zone;
        plan.fast_restores = !snapshot.fast_restores.empty();
    }
    if (!ebs.volume_size_gib) {  // BDM-3
        return errors::missing_parameter("size or snapshotId");
    }
    ebs.volume_type = ebs.volume_type.value_or(model::VolumeType::gp2);  // BDM-7
    TRY(check_volume_limits(*ebs.volume_type, *ebs.volume_size_gib, ebs));
    add_default_performance(ebs);  // VOL-20
    plan.ebs = std::move(ebs);
    return plan;
}

Status check_zone(const VolumePlan& plan, const std::string& zone) {
    if (!plan.local_zone.empty() && plan.local_zone != zone) {
        return errors::invalid_parameter_value(
            fmt::format("The snapshot '{}' lies in the local zone {} and cannot be used in {}.",
                        plan.ebs.snapshot_id.str(), plan.local_zone, zone));
    }
    return ok();
}

Result<model::Volume> make_volume(catalog::Transaction& tx, const Parts& parts,
                                  const Caller& caller, const VolumePlan& plan,
                                  const std::string& zone, UnixMillis now) {
    TRY(check_zone(plan, zone));
    const std::uint64_t size_bytes = std::uint64_t{*plan.ebs.volume_size_gib} * kGiB;
    const model::LayerRecord layer = fresh_layer(parts.rng, now, size_bytes);
    TRY(tx.layers().insert(layer));
    model::Volume volume;
    volume.id = model::make_id<model::VolumeId>(parts.rng);
    volume.owner_id = caller.account;
    volume.region = caller.region;
    volume.availability_zone = zone;
    volume.state = model::VolumeState::available;
    volume.size_gib = *plan.ebs.volume_size_gib;
    volume.type = *plan.ebs.volume_type;
    volume.iops = plan.ebs.iops;
    volume.throughput_mibps = plan.ebs.throughput_mibps;
    volume.initialization_rate_mibps = plan.ebs.initialization_rate_mibps;
    volume.multi_attach = plan.multi_attach;
    volume.snapshot_id = plan.ebs.snapshot_id;
    if (plan.fast_restores) {
        TRY_ASSIGN(volume.fast_restored,
                   spend_fast_restore(tx, caller, plan.ebs.snapshot_id, zone, now));
    }
    volume.lineage = plan.lineage;
    volume.source_image = plan.source_image;
    volume.base_content = plan.base;
    volume.active_layer = layer.id;
    volume.created = now;
    return volume;
}

}  // namespace kiln::control
