// SPDX-License-Identifier: Apache-2.0
#include "control/volumes.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/authorization.h"
#include "control/contents.h"
#include "control/device_mappings.h"
#include "control/idempotency.h"
#include "control/instance_worker.h"
#include "control/quotas.h"
#include "control/resource_facts.h"
#include "control/space.h"
#include "control/volume_plan.h"
#include "control/zones.h"

namespace kiln::control {
namespace {

constexpr PageLimits kLimits{5, 1000};  // PAG-2
constexpr std::chrono::seconds kCloseTime{30};

catalog::Cursor cursor_of(const model::Volume& volume) {
    return {volume.created, volume.id.str()};
}

Result<std::vector<VolumeView>> load_views(catalog::Transaction& tx, const Topology& topology,
                                           const Caller& caller,
                                           std::vector<model::Volume> volumes) {
    std::vector<std::string> ids;
    for (const model::Volume& volume : volumes) {
        ids.push_back(volume.id.str());
    }
    TRY_ASSIGN(auto tags, tx.tags().of(caller.account, ids));
    std::vector<VolumeView> views;
    for (model::Volume& volume : volumes) {
        auto& own = tags[volume.id.str()];
        views.push_back(view_of(topology, std::move(volume), std::move(own)));
    }
    return views;
}

}  // namespace

VolumeView view_of(const Topology& topology, model::Volume volume, std::vector<model::Tag> tags) {
    std::string zone_id = topology.zone_id(volume.region, volume.availability_zone);
    return {std::move(volume), std::move(tags), std::move(zone_id)};
}

Result<model::Volume> find_volume(catalog::Transaction& tx, const Caller& caller,
                                  const model::VolumeId& id) {
    TRY_ASSIGN(auto volume, tx.volumes().find(id));
    if (!volume || volume->owner_id != caller.account || volume->region != caller.region) {
        return errors::volume_not_found(id);
    }
    return std::move(*volume);
}

Result<std::vector<model::Volume>> find_volumes(catalog::Transaction& tx, const Caller& caller,
                                                const std::vector<model::VolumeId>& ids) {
    std::vector<model::Volume> volumes;
    std::set<model::VolumeId> seen;
    for (const model::VolumeId& id : ids) {
        if (seen.insert(id).second) {
            TRY_ASSIGN(volumes.emplace_back(), find_volume(tx, caller, id));
        }
    }
    return volumes;
}

Result<std::vector<model::Volume>> own_volumes(catalog::Transaction& tx, const Caller& caller,
                                               const PageStart& piece) {
    catalog::VolumeQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    query.page.after = piece.after;
    query.page.limit = piece.limit.value_or(0);
    return tx.volumes().list(query);
}

Result<VolumeView> Volumes::create(const Caller& caller, const CreateVolumeInput& input) {
    TRY(check_tag_specifications(input.tags, {"volume"}));
    TRY(check_client_token(input.client_token));
    if (input.availability_zone.empty()) {  // VOL-2
        return errors::missing_parameter("availabilityZone");
    }
    return parts_.store.run([&](catalog::Transaction& tx) -> Result<VolumeView> {
        TRY_ASSIGN(const Zone zone,
                   usable_zone(tx, parts_.topology, caller, input.availability_zone));
        const ClientToken token{"CreateVolume", zone.name, input.client_token, input.request_hash};
        TRY_ASSIGN(const auto known, find_result(tx, caller, token));
        if (known) {
            TRY_ASSIGN(auto volume, find_volume(tx, caller, model::VolumeId(*known)));
            if (input.dry_run) {
                return errors::dry_run();  // WIRE-8
            }
            TRY_ASSIGN(auto views, load_views(tx, parts_.topology, caller, {std::move(volume)}));
            return std::move(views.front());
        }
        TRY_ASSIGN(VolumePlan plan, plan_volume(tx, caller, input.ebs));
        TRY(check_multi_attach(*plan.ebs.volume_type, input.multi_attach));
        plan.multi_attach = input.multi_attach;
        TRY(authorize(caller, "ec2:CreateVolume",
                      {planned_volume(caller, plan, zone.name, tags_for(input.tags, "volume"))}));
        TRY(check_zone(plan, zone.name));
        TRY(check_outpost(parts_.topology, caller, zone, input.outpost_arn));
        TRY(check_volume_quota(tx, parts_.settings.quotas, caller, plan.ebs));
        TRY(check_space(parts_.space, SpaceFor::data, "a volume"));  // SPC-1
        if (input.dry_run) {
            return errors::dry_run();
        }
        const UnixMillis now = parts_.clock.now();
        TRY_ASSIGN(model::Volume volume, make_volume(tx, parts_, caller, plan, zone.name, now));
        volume.outpost_arn = input.outpost_arn;
        TRY(tx.volumes().insert(volume));
        TRY(put_tags(tx, caller, "volume", volume.id.str(), tags_for(input.tags, "volume")));
        TRY(remember_result(tx, caller, token, volume.id.str(), now));
        // VOL-2: there is nothing to wait for, but that is what clients are told.
        volume.state = model::VolumeState::creating;
        return view_of(parts_.topology, std::move(volume), tags_for(input.tags, "volume"));
    });
}

Result<Page<VolumeView>> Volumes::describe(const Caller& caller,
                                           const DescribeVolumesInput& input) {
    TRY(volume_filters().check(input.filters));
    if (!input.ids.empty() && input.page.max_results) {  // PAG-4
        return errors::invalid_parameter_combination(
            "The parameter volumeSet cannot be used with the parameter maxResults");
    }
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Page<VolumeView>> {
        const auto shown =
            [&](std::vector<model::Volume> volumes) -> Result<std::vector<VolumeView>> {
            TRY_ASSIGN(auto views, load_views(tx, parts_.topology, caller, std::move(volumes)));
            std::erase_if(views, [&](const VolumeView& view) {
                return !volume_filters().matches(input.filters, view);
            });
            return views;
        };
        std::vector<VolumeView> views;
        if (input.ids.empty()) {
            TRY_ASSIGN(views,
                       read_page<VolumeView>(
                           start, !input.filters.empty(),
                           [&](const PageStart& piece) { return own_volumes(tx, caller, piece); },
                           cursor_of, shown));
        } else {
            TRY_ASSIGN(auto volumes, find_volumes(tx, caller, input.ids));
            TRY_ASSIGN(views, shown(std::move(volumes)));
        }
        return cut_page(caller, input.page, start, std::move(views),
                        [](const VolumeView& view) { return cursor_of(view.volume); });
    });
}

Status Volumes::remove(const Caller& caller, const model::VolumeId& id, bool dry_run) {
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const model::Volume volume, find_volume(tx, caller, id));
        if (!volume.attachments.empty()) {  // VOL-6
            return Error::api(Code::failed_precondition, "VolumeInUse",
                              fmt::format("Volume {} is currently attached to {}", id.str(),
                                          volume.attachments.front().instance_id.str()));
        }
        TRY(model::next(volume.state, model::VolumeEvent::remove, id));
        if (dry_run) {
            return errors::dry_run();
        }
        TRY(tx.volumes().erase(id));
        TRY(tx.tags().erase_resource(id.str()));
        TRY(queue_layer_drop(tx, parts_, volume.active_layer));
        return release_content(tx, parts_, volume.base_content);
    }));
    // Somebody may look at it read-only; its layer cannot go before.
    const Status closed = access_.close_for_good(id, Deadline::after(kCloseTime));
    work_added_();
    return closed;
}

}  // namespace kiln::control
