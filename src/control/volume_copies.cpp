// SPDX-License-Identifier: Apache-2.0
#include "control/volume_copies.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/authorization.h"
#include "control/device_mappings.h"
#include "control/idempotency.h"
#include "control/quotas.h"
#include "control/resource_facts.h"
#include "control/snapshots.h"
#include "control/space.h"
#include "control/volume_plan.h"
#include "model/idempotency.h"
#include "util/log.h"

namespace kiln::control {
namespace {

constexpr char kAction[] = "CopyVolumes";
// Whoever cuts wakes the job; this is for what a crash or a hanging cut left.
constexpr std::int64_t kLookAgainMs = 1'000;

ClientToken token_of(const Caller& caller, const CopyVolumeInput& input) {
    return {kAction, caller.region, input.client_token, input.request_hash};
}

// Whether the cut that makes this content is still under way.
Result<bool> is_being_cut(catalog::Transaction& tx, const model::ContentId& content) {
    catalog::SnapshotQuery query;
    query.content = content;
    query.states = {model::SnapshotState::deleted};
    TRY_ASSIGN(const auto snapshots, tx.snapshots().list(query));
    return !snapshots.empty();
}

Result<bool> is_sealed(catalog::Transaction& tx, const model::ContentId& id) {
    TRY_ASSIGN(const auto content, tx.contents().find(id));
    if (!content || content->state == model::ContentState::rooted) {
        return content.has_value();
    }
    TRY_ASSIGN(const auto layer, tx.layers().find(content->layer));
    return layer && layer->state == model::LayerState::sealed;
}

}  // namespace

void VolumeCopies::install(JobRunner& runner) {
    runner.handle(kCopyVolumeJob, [this](const model::Job& job) { return settle(job); });
}

Result<VolumeCopies::Plan> VolumeCopies::plan(catalog::Transaction& tx, const Caller& caller,
                                              const CopyVolumeInput& input) const {
    Plan plan;
    TRY_ASSIGN(plan.source, find_volume(tx, caller, input.source));
    TRY(check_cuttable(tx, parts_, plan.source));
    plan.ebs = input.ebs;
    plan.ebs.volume_size_gib = input.ebs.volume_size_gib.value_or(plan.source.size_gib);
    if (*plan.ebs.volume_size_gib < plan.source.size_gib) {
        return errors::invalid_parameter_value(fmt::format(
            "The size of a copy ({} GiB) cannot be smaller than that of its source volume '{}' "
            "({} GiB).",
            *plan.ebs.volume_size_gib, plan.source.id.str(), plan.source.size_gib));
    }
    plan.ebs.volume_type = input.ebs.volume_type.value_or(model::VolumeType::gp2);  // BDM-7
    TRY(check_volume_limits(*plan.ebs.volume_type, *plan.ebs.volume_size_gib, plan.ebs));
    add_default_performance(plan.ebs);  // VOL-20
    TRY(check_multi_attach(*plan.ebs.volume_type, input.multi_attach));
    VolumePlan made;
    made.ebs = plan.ebs;
    made.ebs.encrypted = plan.source.encrypted;
    TRY(authorize(caller, "ec2:CopyVolumes",
                  {planned_volume(caller, made, plan.source.availability_zone,
                                  tags_for(input.tags, "volume"))}));
    TRY(check_volume_quota(tx, parts_.settings.quotas, caller, plan.ebs));
    return plan;
}

// IDM-2
Result<std::optional<VolumeView>> VolumeCopies::known(catalog::Transaction& tx,
                                                      const Caller& caller,
                                                      const CopyVolumeInput& input) const {
    using Known = std::optional<VolumeView>;
    TRY_ASSIGN(const auto id, find_result(tx, caller, token_of(caller, input)));
    if (!id) {
        return Known();
    }
    TRY_ASSIGN(auto volume, find_volume(tx, caller, model::VolumeId(*id)));
    TRY_ASSIGN(auto tags, tx.tags().of(caller.account, {*id}));
    return Known(view_of(parts_.topology, std::move(volume), std::move(tags[*id])));
}

Result<model::Volume> VolumeCopies::insert(catalog::Transaction& tx, const Caller& caller,
                                           const CopyVolumeInput& input, const Plan& plan,
                                           const model::ContentId& content) const {
    const UnixMillis now = parts_.clock.now();
    VolumePlan made;
    made.ebs = plan.ebs;
    made.base = content;
    made.source_image = plan.source.source_image;
    made.multi_attach = input.multi_attach;
    TRY_ASSIGN(model::Volume volume,
               make_volume(tx, parts_, caller, made, plan.source.availability_zone, now));
    volume.outpost_arn = plan.source.outpost_arn;
    volume.state = model::VolumeState::creating;
    volume.source_volume = plan.source.id;
    volume.encrypted = plan.source.encrypted;
    volume.kms_key_id = plan.source.kms_key_id;
    TRY(tx.volumes().insert(volume));
    TRY(put_tags(tx, caller, "volume", volume.id.str(), tags_for(input.tags, "volume")));
    TRY(remember_result(tx, caller, token_of(caller, input), volume.id.str(), now));
    model::Job job = make_job(parts_.rng, now, kCopyVolumeJob, volume.id.str(), "settle");
    job.not_before = UnixMillis{now.value + kLookAgainMs};
    TRY(tx.jobs().add(job));
    return volume;
}

// IDM-4: as if it had never been asked for. Its job finds nothing to do.
Status VolumeCopies::take_back(catalog::Transaction& tx, const Caller& caller,
                               const CopyVolumeInput& input, const model::VolumeId& id) const {
    TRY_ASSIGN(const auto volume, tx.volumes().find(id));
    if (!volume) {
        return ok();
    }
    TRY(tx.layers().erase(volume->active_layer));
    TRY(tx.volumes().erase(id));
    TRY(tx.tags().erase_resource(id.str()));
    TRY(tx.jobs().wake(id.str(), parts_.clock.now()));
    if (input.client_token.empty()) {
        return ok();
    }
    model::IdempotencyToken token;
    token.account = caller.account;
    token.scope = caller.region;
    token.action = kAction;
    token.token = input.client_token;
    return tx.tokens().erase(token.id());
}

Result<VolumeView> VolumeCopies::copy(const Caller& caller, const CopyVolumeInput& input) {
    TRY(check_tag_specifications(input.tags, {"volume"}));
    TRY(check_client_token(input.client_token));
    std::optional<VolumeView> before;
    TRY(parts_.store.read([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(before, known(tx, caller, input));
        if (!before) {
            TRY(plan(tx, caller, input));
        }
        return ok();
    }));
    if (!before) {
        TRY(check_space(parts_.space, SpaceFor::data, "a copy"));  // SPC-1
    }
    if (input.dry_run) {
        return errors::dry_run();
    }
    if (before) {
        return std::move(*before);
    }
    std::optional<Plan> planned;
    model::Volume made;
    Cuts::Also also;
    also.begun = [&](catalog::Transaction& tx,
                     const std::vector<model::Snapshot>& snapshots) -> Status {
        TRY_ASSIGN(made, insert(tx, caller, input, *planned, snapshots.front().content));
        return ok();
    };
    also.taken_back = [&](catalog::Transaction& tx) {
        return take_back(tx, caller, input, made.id);
    };
    const auto cut = cuts_.cut(
        {input.source},
        [&](catalog::Transaction& tx) -> Result<std::vector<model::Snapshot>> {
            // IDM-3: another one with this token may have come first, and was waited for.
            TRY_ASSIGN(before, known(tx, caller, input));
            if (before) {
                return Error(Code::already_exists, "the copy was made by another request");
            }
            TRY_ASSIGN(planned, plan(tx, caller, input));
            model::Snapshot snapshot =
                draft_snapshot(parts_, caller, planned->source, {}, parts_.clock.now());
            snapshot.state = model::SnapshotState::deleted;  // nobody sees it
            return std::vector{std::move(snapshot)};
        },
        also);
    if (before) {
        return std::move(*before);
    }
    TRY(cut);
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY(tx.jobs().wake(made.id.str(), parts_.clock.now()));
        return ok();
    }));
    work_added_();
    return view_of(parts_.topology, std::move(made), tags_for(input.tags, "volume"));
}

Status VolumeCopies::settle(const model::Job& job) {
    const model::VolumeId id(job.subject);
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto volume, tx.volumes().find(id));
        if (!volume || volume->state != model::VolumeState::creating) {
            return tx.jobs().finish(job);
        }
        TRY_ASSIGN(const bool under_way, is_being_cut(tx, volume->base_content));
        if (under_way) {
            return tx.jobs().park(job, UnixMillis{parts_.clock.now().value + kLookAgainMs});
        }
        TRY_ASSIGN(const bool sealed, is_sealed(tx, volume->base_content));
        if (!sealed) {
            log_error("volumes", fmt::format("{} has no data: the cut of {} failed", id.str(),
                                             volume->source_volume.str()));
        }
        TRY_ASSIGN(volume->state, model::next(volume->state,
                                              sealed ? model::VolumeEvent::created
                                                     : model::VolumeEvent::creation_failed,
                                              id));
        TRY(tx.volumes().update(*volume));
        return tx.jobs().finish(job);
    });
}

}  // namespace kiln::control
