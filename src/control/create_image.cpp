// SPDX-License-Identifier: Apache-2.0
#include "control/create_image.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/guest_freeze.h"
#include "control/image_rules.h"
#include "control/images.h"
#include "control/instances.h"
#include "control/quotas.h"
#include "control/snapshots.h"
#include "control/space.h"
#include "control/uefi_variables.h"
#include "util/log.h"

namespace kiln::control {
namespace {

std::vector<model::VolumeId> ids_of(const std::vector<ImagePlan::Cut>& cuts) {
    std::vector<model::VolumeId> ids;
    for (const ImagePlan::Cut& cut : cuts) {
        ids.push_back(cut.volume.id);
    }
    return ids;
}

}  // namespace

Result<CreateImages::Checked> CreateImages::check(catalog::Transaction& tx, const Caller& caller,
                                                  const CreateImageInput& input) {
    TRY_ASSIGN(auto found, find_instances(tx, caller, {input.instance_id}));
    const model::Instance& instance = found.front();
    TRY(model::next(instance.state, model::InstanceEvent::create_image, instance.id));  // CI-2
    if (instance.root_device_type != model::RootDeviceType::ebs) {                      // CI-3
        return errors::invalid_parameter_value(fmt::format(
            "The instance '{}' does not have an 'ebs' root device type.", instance.id.str()));
    }
    TRY(Images::check_name_is_free(tx, caller, input.name));
    TRY_ASSIGN(auto views, load_views(tx, parts_.topology, caller, std::move(found)));
    Checked checked{std::move(views.front()), {}};
    TRY_ASSIGN(checked.plan, plan_image(tx, caller, checked.instance, input.block_device_mappings));
    for (const ImagePlan::Cut& cut : checked.plan.cuts) {
        TRY(check_cuttable(tx, parts_, cut.volume));
        TRY(local_zone_for(parts_.topology, cut.volume, {input.snapshot_location, {}}));
    }
    TRY(check_image_quota(tx, parts_.settings.quotas, caller));
    TRY(check_snapshot_quota(tx, parts_.settings.quotas, caller, checked.plan.cuts.size()));
    return checked;
}

Result<model::Image> CreateImages::insert(catalog::Transaction& tx, const Caller& caller,
                                          const CreateImageInput& input, const Checked& checked) {
    TRY_ASSIGN(const model::Account owner, tx.accounts().get(caller.account));
    model::Image image = inherit_image(checked.instance.instance);
    image.owner_alias = owner.alias;
    image.id = model::make_id<model::ImageId>(parts_.rng);
    image.owner_id = caller.account;
    image.region = caller.region;
    image.name = input.name;
    image.description = input.description;
    image.location = image_location(owner, input.name);
    image.state = model::ImageState::pending;
    if (input.boot_mode) {
        image.boot_mode = input.boot_mode;
    }
    image.block_device_mappings = checked.plan.mappings;
    image.created = parts_.clock.now();
    // CI-10, ITS-4: these are of the instance's image, as long as somebody knows it.
    TRY_ASSIGN(const auto source, tx.images().find(image.source_image_id));
    if (source) {
        image.imds_v2 = source->imds_v2;
        image.instance_types = source->instance_types;
        // Until its own are read: of an instance that was never started there are no others.
        if (checked.instance.instance.current_boot_mode == model::BootMode::uefi) {
            image.uefi_data = source->uefi_data;
        }
    }
    TRY(tx.images().insert(image));
    TRY(put_tags(tx, caller, "image", image.id.str(), tags_for(input.tags, "image")));
    return image;
}

Result<std::vector<model::Snapshot>> CreateImages::draft(catalog::Transaction& tx,
                                                         const Caller& caller, model::Image& image,
                                                         const std::vector<ImagePlan::Cut>& cuts,
                                                         const std::string& location,
                                                         const std::vector<model::Tag>& tags,
                                                         const Variables& variables) {
    const std::string description = fmt::format("Created by CreateImage({}) for {}",  // CI-11
                                                image.source_instance_id.str(), image.id.str());
    const UnixMillis now = parts_.clock.now();
    std::vector<model::Snapshot> snapshots;
    for (const ImagePlan::Cut& cut : cuts) {
        model::Snapshot snapshot = draft_snapshot(parts_, caller, cut.volume, description, now);
        TRY_ASSIGN(snapshot.local_zone,
                   local_zone_for(parts_.topology, cut.volume, {location, {}}));
        TRY(put_tags(tx, caller, "snapshot", snapshot.id.str(), tags));
        image.block_device_mappings[cut.mapping].ebs->snapshot_id = snapshot.id;
        snapshots.push_back(std::move(snapshot));
    }
    image.uefi_data = variables.value_or(image.uefi_data);
    TRY(tx.images().update(image));
    return snapshots;
}

Result<CreateImages::Variables> CreateImages::variables_of(const model::Instance& instance) const {
    return current_uefi_data(instance, instances_.instance_directory(instance.id));
}

Result<model::ImageId> CreateImages::create(const Caller& caller, const CreateImageInput& input) {
    TRY(Images::check_name(input.name));
    TRY(check_image_description(input.description));
    TRY(check_tag_specifications(input.tags, {"image", "snapshot"}));
    TRY_ASSIGN(const Checked checked, parts_.store.read([&](catalog::Transaction& tx) {
        return check(tx, caller, input);
    }));
    TRY(check_space(parts_.space, SpaceFor::data, "an image"));  // SPC-1
    TRY_ASSIGN(const Variables variables, variables_of(checked.instance.instance));
    if (input.dry_run) {
        return errors::dry_run();
    }
    const bool running = checked.instance.instance.state == model::InstanceState::running;
    return running && !input.no_reboot ? create_after_shutdown(caller, input)
                                       : create_now(caller, input, checked, variables);
}

// CI-5, CI-6.
Result<model::ImageId> CreateImages::create_now(const Caller& caller, const CreateImageInput& input,
                                                const Checked& checked,
                                                const Variables& variables) {
    model::ImageId id;
    std::optional<GuestFreeze> still;
    if (checked.instance.instance.state == model::InstanceState::running) {
        still.emplace(parts_, input.instance_id);
    }
    const auto volumes = ids_of(checked.plan.cuts);
    const auto cut =
        cuts_.cut(volumes, [&](catalog::Transaction& tx) -> Result<std::vector<model::Snapshot>> {
            TRY_ASSIGN(const Checked now, check(tx, caller, input));
            TRY_ASSIGN(model::Image image, insert(tx, caller, input, now));
            id = image.id;
            TRY(tx.jobs().add(make_job(parts_.rng, image.created, kSettleImageJob, id.str(), "")));
            return draft(tx, caller, image, now.plan.cuts, input.snapshot_location,
                         tags_for(input.tags, "snapshot"), variables);
        });
    still.reset();
    if (!cut && !id.empty()) {
        TRY(fail_image(id, "Server.InternalError", errors::told(cut.error(), kNotCut)));
    }
    TRY(cut);
    // The job has looked while the snapshots were pending.
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY(tx.jobs().wake(id.str(), parts_.clock.now()));
        return ok();
    }));
    work_added_();
    return id;
}

Status CreateImages::fail_image(const model::ImageId& id, const std::string& code,
                                const std::string& why) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto image, tx.images().find(id));
        if (!image || image->state != model::ImageState::pending) {
            return ok();
        }
        TRY_ASSIGN(image->state, model::next(image->state, model::ImageEvent::creation_failed, id));
        image->state_reason = model::StateReason{code, code + ": " + why};  // IMS-4
        // Snapshots that never came about are not named; the rest stays, for whoever wants it.
        for (model::BlockDeviceMapping& mapping : image->block_device_mappings) {
            if (!mapping.ebs || mapping.ebs->snapshot_id.empty()) {
                continue;
            }
            TRY_ASSIGN(const auto snapshot, tx.snapshots().find(mapping.ebs->snapshot_id));
            if (!snapshot) {
                mapping.ebs->snapshot_id = {};
            }
        }
        return tx.images().update(*image);
    });
}

// IMS-6: available when every snapshot is completed, failed when one is not to be.
Status CreateImages::settle(const model::Job& job) {
    const model::ImageId id(job.subject);
    bool failed = false;
    bool waits = false;
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        failed = waits = false;
        TRY_ASSIGN(auto image, tx.images().find(id));
        if (!image || image->state != model::ImageState::pending) {
            return tx.jobs().finish(job);
        }
        for (const model::BlockDeviceMapping& mapping : image->block_device_mappings) {
            if (!mapping.ebs || mapping.ebs->snapshot_id.empty()) {
                continue;
            }
            TRY_ASSIGN(const auto snapshot, tx.snapshots().find(mapping.ebs->snapshot_id));
            const bool pending = snapshot && snapshot->state == model::SnapshotState::pending;
            const bool completed = snapshot && snapshot->state == model::SnapshotState::completed;
            waits = waits || pending;
            failed = failed || (!pending && !completed);
        }
        if (failed) {
            return ok();
        }
        if (waits) {
            // Whoever cut wakes us; the time is for a queue of destages (D8).
            return tx.jobs().park(job, UnixMillis{parts_.clock.now().value + 1000});
        }
        TRY_ASSIGN(image->state,
                   model::next(image->state, model::ImageEvent::snapshots_completed, id));
        TRY(tx.images().update(*image));
        return tx.jobs().finish(job);
    }));
    if (!failed) {
        return ok();
    }
    TRY(fail_image(id, "Server.InternalError", std::string(kNotCut)));
    return parts_.store.run([&](catalog::Transaction& tx) { return tx.jobs().finish(job); });
}

}  // namespace kiln::control
