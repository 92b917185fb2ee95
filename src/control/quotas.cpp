// SPDX-License-Identifier: Apache-2.0
#include "control/quotas.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "control/device_mappings.h"
#include "control/public_parameters.h"

namespace kiln::control {
namespace {

using Most = std::optional<std::uint32_t>;

Most most_of(const Quotas& quotas, Quota quota, const Caller& caller) {
    return caller.account.str() == kProviderAccount ? Most() : quotas.of(quota);
}

Error exceeded(const char* code, std::string message) {
    return Error::api(Code::resource_exhausted, code, std::move(message));
}

Error exceeded(const char* code, const Caller& caller, std::uint32_t most, std::string_view what) {
    return exceeded(code, fmt::format("You have reached your quota of {} {} in the region {}.",
                                      most, what, caller.region));
}

Error too_many_volumes(const Caller& caller, std::uint32_t most) {
    return exceeded("VolumeLimitExceeded", caller, most, "volumes");
}

Error too_much_storage(model::VolumeType type, std::uint32_t most) {
    return exceeded("VolumeLimitExceeded",
                    fmt::format("You have exceeded your maximum {} storage limit of {} GiB in this "
                                "region.",
                                model::to_string(type), most));
}

template <class Query>
Query of_caller(const Caller& caller) {
    Query query;
    query.region = caller.region;
    query.owners = {caller.account};
    return query;
}

// Of the caller's rows those in `states`, or all when even these leave room for `more`: that is
// told by the index of owners, while the states are in the rows.
template <class Rows, class States>
Result<std::uint64_t> count_own(Rows rows, const Caller& caller, const States& states,
                                std::uint32_t most, std::uint64_t more) {
    auto query = of_caller<typename Rows::Query>(caller);
    TRY_ASSIGN(const std::uint64_t all, rows.count(query));
    if (all + more <= most) {
        return all;
    }
    query.states = states;
    return rows.count(query);
}

// QT-3: what deregistered and failed images have left is no image any more.
const std::vector<model::ImageState> kCountedImages{
    model::ImageState::pending, model::ImageState::available, model::ImageState::disabled};
const std::vector<model::SnapshotState> kCountedSnapshots{
    model::SnapshotState::pending, model::SnapshotState::completed, model::SnapshotState::error};

// For how many of a number of equal things there is room, quota after quota.
class Room {
  public:
    Room(std::size_t least, std::size_t wanted) : least_(least), fit_(wanted) {}

    // `used` of the quota is taken, and each thing takes `each`.
    template <class Refusal>
    Status narrow(std::uint32_t most, std::uint64_t used, std::uint64_t each, Refusal refusal) {
        if (each != 0) {
            const std::uint64_t left = most - std::min<std::uint64_t>(most, used);
            fit_ = static_cast<std::size_t>(std::min<std::uint64_t>(fit_, left / each));
        }
        return fit_ >= least_ ? ok() : Status(refusal());
    }
    std::size_t fit() const { return fit_; }

  private:
    const std::size_t least_;
    std::size_t fit_;
};

using GibByType = std::map<model::VolumeType, std::uint64_t>;

// A volume that is being modified has already what it is to have.
Result<GibByType> used_gib(catalog::Transaction& tx, const Caller& caller) {
    TRY_ASSIGN(const auto volumes, tx.volumes().list(of_caller<catalog::VolumeQuery>(caller)));
    GibByType used;
    for (const model::Volume& volume : volumes) {
        const auto& change = volume.modification;
        const bool changing = change && change->state == model::ModificationState::modifying;
        const model::VolumeShape shape = changing ? change->target : model::shape_of(volume);
        used[shape.type] += shape.size_gib;
    }
    return used;
}

Status narrow_by_gib(catalog::Transaction& tx, std::uint32_t most, const Caller& caller,
                     const GibByType& each, Room& room) {
    TRY_ASSIGN(GibByType used, used_gib(tx, caller));
    for (const auto& entry : each) {
        TRY(room.narrow(most, used[entry.first], entry.second,
                        [&] { return too_much_storage(entry.first, most); }));
    }
    return ok();
}

// Each of the things has these volumes.
Status narrow_by_volumes(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller,
                         const std::vector<model::EbsBlockDevice>& volumes, Room& room) {
    if (const Most most = most_of(quotas, Quota::volumes, caller)) {
        TRY_ASSIGN(const std::uint64_t used,
                   tx.volumes().count(of_caller<catalog::VolumeQuery>(caller)));
        TRY(room.narrow(*most, used, volumes.size(),
                        [&] { return too_many_volumes(caller, *most); }));
    }
    const Most most = most_of(quotas, Quota::volume_type_gib, caller);
    if (!most || volumes.empty()) {
        return ok();
    }
    GibByType each;
    for (const model::EbsBlockDevice& volume : volumes) {
        each[*volume.volume_type] += *volume.volume_size_gib;
    }
    return narrow_by_gib(tx, *most, caller, each, room);
}

Status narrow_by_instances(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller,
                           const InstanceType& type, std::size_t least, Room& room) {
    const Most instances = most_of(quotas, Quota::instances, caller);
    const Most vcpus = most_of(quotas, Quota::vcpus, caller);
    if (!instances && !vcpus) {
        return ok();
    }
    auto query = of_caller<catalog::InstanceQuery>(caller);
    query.states = {model::InstanceState::pending, model::InstanceState::running};
    TRY_ASSIGN(const auto running, tx.instances().list(query));
    if (instances) {
        TRY(room.narrow(*instances, running.size(), 1, [&] {
            return exceeded("InstanceLimitExceeded",
                            fmt::format("You have requested more instances ({}) than your current "
                                        "instance limit of {} allows for the specified instance "
                                        "type.",
                                        running.size() + least, *instances));
        }));
    }
    if (!vcpus) {
        return ok();
    }
    std::uint64_t used = 0;
    for (const model::Instance& instance : running) {
        const InstanceType* known = find_instance_type(instance.instance_type);
        used += known == nullptr ? 0 : known->vcpus;
    }
    return room.narrow(*vcpus, used, type.vcpus, [&] {
        return exceeded("VcpuLimitExceeded",
                        fmt::format("You have requested more vCPU capacity than your current vCPU "
                                    "limit of {} allows for the instance bucket that the specified "
                                    "instance type belongs to.",
                                    *vcpus));
    });
}

}  // namespace

Status check_image_quota(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller) {
    const Most most = most_of(quotas, Quota::images, caller);
    if (!most) {
        return ok();
    }
    TRY_ASSIGN(const std::uint64_t used, count_own(tx.images(), caller, kCountedImages, *most, 1));
    return used < *most ? ok() : Status(exceeded("ResourceLimitExceeded", caller, *most, "images"));
}

Status check_public_image_quota(catalog::Transaction& tx, const Quotas& quotas,
                                const Caller& caller) {
    const Most most = most_of(quotas, Quota::public_images, caller);
    if (!most) {
        return ok();
    }
    auto query = of_caller<catalog::ImageQuery>(caller);
    query.everybody = true;
    query.states = kCountedImages;
    TRY_ASSIGN(const std::uint64_t used, tx.images().count(query));
    return used < *most ? ok()
                        : Status(exceeded("ResourceLimitExceeded", caller, *most, "public images"));
}

Status check_share_quota(const Quotas& quotas, std::size_t before, std::size_t after) {
    const Most most = quotas.of(Quota::image_shares);
    if (!most || after <= before || after <= *most) {  // LP-6; taking away is always fine
        return ok();
    }
    return exceeded("ResourceLimitExceeded",
                    fmt::format("An image can be shared with at most {} accounts, organizations "
                                "and organizational units.",
                                *most));
}

Status check_snapshot_quota(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller,
                            std::size_t more) {
    const Most most = most_of(quotas, Quota::snapshots, caller);
    if (!most || more == 0) {
        return ok();
    }
    TRY_ASSIGN(const std::uint64_t used,
               count_own(tx.snapshots(), caller, kCountedSnapshots, *most, more));
    return used + more <= *most
               ? ok()
               : Status(exceeded("SnapshotLimitExceeded", caller, *most, "snapshots"));
}

Status check_upload_quota(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller) {
    const Most most = most_of(quotas, Quota::pending_uploads, caller);
    if (!most) {
        return ok();
    }
    // By the index of states, as few are pending: so the rest is compared here.
    catalog::SnapshotQuery query;
    query.states = {model::SnapshotState::pending};
    TRY_ASSIGN(const auto pending, tx.snapshots().list(query));
    const auto used =
        std::count_if(pending.begin(), pending.end(), [&](const model::Snapshot& snapshot) {
            return snapshot.owner_id == caller.account && snapshot.region == caller.region &&
                   snapshot.volume_id.str() == model::kPlaceholderVolumeId;
        });
    return used < static_cast<std::int64_t>(*most)
               ? ok()
               : Status(exceeded("ServiceQuotaExceededException", caller, *most,
                                 "snapshots whose blocks are being put"));
}

Quota pending_quota(model::VolumeType type) {
    return is_cold(type) ? Quota::pending_cold_snapshots : Quota::pending_snapshots;
}

Error too_many_pending() {
    return exceeded("ConcurrentSnapshotLimitExceeded",
                    "Maximum allowed in-progress snapshots for a single volume exceeded.");
}

Status check_pending_quota(catalog::Transaction& tx, const Quotas& quotas,
                           const model::Volume& volume) {
    const Most most = quotas.of(pending_quota(volume.type));
    if (!most) {
        return ok();
    }
    catalog::SnapshotQuery query;
    query.volumes = {volume.id};
    query.states = {model::SnapshotState::pending};
    TRY_ASSIGN(const std::uint64_t pending, tx.snapshots().count(query));
    return pending < *most ? ok() : Status(too_many_pending());  // SNP-9
}

Status check_volume_quota(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller,
                          const model::EbsBlockDevice& volume) {
    Room room(1, 1);
    return narrow_by_volumes(tx, quotas, caller, {volume}, room);
}

Status check_change_quota(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller,
                          const model::Volume& volume, const model::VolumeShape& target) {
    const Most most = most_of(quotas, Quota::volume_type_gib, caller);
    const std::uint32_t more =
        target.type == volume.type ? target.size_gib - volume.size_gib : target.size_gib;
    if (!most || more == 0) {
        return ok();
    }
    Room room(1, 1);
    return narrow_by_gib(tx, *most, caller, {{target.type, more}}, room);
}

Result<std::size_t> find_room(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller,
                              const InstanceType& type, const std::vector<VolumePlan>& volumes,
                              std::size_t least, std::size_t wanted) {
    Room room(least, wanted);
    TRY(narrow_by_instances(tx, quotas, caller, type, least, room));
    std::vector<model::EbsBlockDevice> each;
    for (const VolumePlan& plan : volumes) {
        each.push_back(plan.ebs);
    }
    TRY(narrow_by_volumes(tx, quotas, caller, each, room));
    return room.fit();
}

Status check_key_pair_quota(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller) {
    const Most most = most_of(quotas, Quota::key_pairs, caller);
    if (!most) {
        return ok();
    }
    TRY_ASSIGN(const std::uint64_t used,
               tx.key_pairs().count(of_caller<catalog::KeyPairQuery>(caller)));
    return used < *most ? ok()  // KP-5
                        : Status(exceeded("KeyPairLimitExceeded", caller, *most, "key pairs"));
}

Status check_template_quota(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller) {
    const Most most = most_of(quotas, Quota::launch_templates, caller);
    if (!most) {
        return ok();
    }
    TRY_ASSIGN(const std::uint64_t used,
               tx.launch_templates().count(of_caller<catalog::LaunchTemplateQuery>(caller)));
    return used < *most
               ? ok()  // LT-11
               : Status(exceeded("MaxTemplateLimitExceeded", caller, *most, "launch templates"));
}

Status check_version_quota(const Quotas& quotas, const model::LaunchTemplate& of) {
    const Most most = quotas.of(Quota::template_versions);
    if (!most || of.version_count < static_cast<std::int64_t>(*most)) {
        return ok();
    }
    return exceeded("MaxTemplateVersionLimitExceeded",
                    fmt::format("The launch template {} has {} versions already.", of.id.str(),
                                of.version_count));
}

}  // namespace kiln::control
