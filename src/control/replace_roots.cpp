// SPDX-License-Identifier: Apache-2.0
// ReplaceRoots: what a request checks and writes. The work is in replace_root_worker.cpp.
#include "control/replace_roots.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/authorization.h"
#include "control/idempotency.h"
#include "control/image_rules.h"
#include "control/images.h"
#include "control/instances.h"
#include "control/machine_fit.h"
#include "control/quotas.h"
#include "control/resource_facts.h"
#include "control/snapshot_access.h"
#include "control/space.h"
#include "control/volumes.h"

namespace kiln::control {
namespace {

constexpr char kAction[] = "CreateReplaceRootVolumeTask";
constexpr PageLimits kLimits{1, 50};  // PAG-2

catalog::Cursor cursor_of(const model::ReplaceRootTask& task) {
    return {task.created, task.id.str()};
}

Error wrong_state(std::string text) {
    return Error::api(Code::failed_precondition, "IncorrectInstanceState", std::move(text));
}

Result<model::Volume> root_of(catalog::Transaction& tx, const model::Instance& instance) {
    catalog::VolumeQuery attached;
    attached.attached_to = {instance.id};
    TRY_ASSIGN(const auto volumes, tx.volumes().list(attached));
    for (const model::Volume& volume : volumes) {
        const model::VolumeAttachment& attachment = model::attachment_to(volume, instance.id);
        if (model::same_device(attachment.device, instance.root_device_name) &&
            attachment.state == model::AttachmentState::attached) {
            return volume;
        }
    }
    return wrong_state(
        fmt::format("The instance '{}' does not have a volume attached at root ({}).",
                    instance.id.str(), instance.root_device_name));
}

const model::EbsBlockDevice* root_mapping(const model::BlockDeviceMappings& mappings,
                                          const std::string& root) {
    for (const model::BlockDeviceMapping& mapping : mappings) {
        if (mapping.ebs && model::same_device(mapping.device_name, root)) {
            return &*mapping.ebs;
        }
    }
    return nullptr;
}

std::string lineage_of(const model::Volume& volume) {
    return volume.lineage.empty() ? volume.id.str() : volume.lineage;
}

// RRV-2
Status check_image(const model::Image& image, const model::Instance& instance) {
    const auto differs = [&](std::string_view what) {
        return errors::invalid_parameter_combination(
            fmt::format("The {} of the image '{}' does not match that of the instance '{}'.", what,
                        image.id.str(), instance.id.str()));
    };
    if (image.architecture != instance.architecture) {
        return differs("architecture");
    }
    if (image.virtualization_type != instance.virtualization_type) {
        return differs("virtualization type");
    }
    if (image.product_codes != instance.product_codes) {
        return differs("product codes");
    }
    if (image.usage_operation != instance.usage_operation || image.platform != instance.platform) {
        return differs("billing information");
    }
    if (image.root_device_type != model::RootDeviceType::ebs ||
        root_mapping(image.block_device_mappings, image.root_device_name) == nullptr) {
        return errors::invalid_parameter_value(
            fmt::format("The image '{}' has no EBS root volume.", image.id.str()));
    }
    const InstanceType* type = find_instance_type(instance.instance_type);
    if (type == nullptr) {
        return Error(Code::internal, "unknown instance type " + instance.instance_type);
    }
    TRY(check_fit({.architecture = image.architecture,
                   .virtualization_type = image.virtualization_type,
                   .ena_support = image.ena_support,
                   .boot_mode = image.boot_mode,
                   .tpm_v2 = image.tpm_v2},
                  *type));
    return check_runs_on(image, type->name);  // ITS-3
}

model::BootMode boot_mode_of(const model::Image& image, const model::Instance& instance) {  // BM-1
    const InstanceType* type = find_instance_type(instance.instance_type);
    const bool uefi =
        image.boot_mode == model::BootMode::uefi ||
        (image.boot_mode == model::BootMode::uefi_preferred && type != nullptr && type->uefi());
    return uefi ? model::BootMode::uefi : model::BootMode::legacy_bios;
}

}  // namespace

const FilterTable<ReplaceRootView>& replace_root_filters() {
    using Values = std::vector<std::string>;
    static const FilterTable<ReplaceRootView> table(
        [](const ReplaceRootView& view) -> const std::vector<model::Tag>& { return view.tags; },
        {{"instance-id",
          [](const ReplaceRootView& view) { return Values{view.task.instance_id.str()}; }}});
    return table;
}

struct ReplaceRoots::Plan {
    model::Instance instance;
    model::Volume root;
    std::optional<model::Volume> given;  // the new root; else `snapshot` is what it is made of
    model::Snapshot snapshot;
    RootFacts after;
};

RootFacts root_facts(const model::Instance& instance) {
    RootFacts facts;
    facts.image = instance.image_id;
    facts.boot_mode = instance.boot_mode;
    facts.current_boot_mode = instance.current_boot_mode;
    facts.ena_support = instance.ena_support;
    facts.sriov_net_simple = instance.sriov_net_simple;
    if (const auto* ebs = root_mapping(instance.launch_mappings, instance.root_device_name)) {
        facts.launch_snapshot = ebs->snapshot_id;
    }
    return facts;
}

void apply_root_facts(model::Instance& instance, const RootFacts& facts) {
    instance.image_id = facts.image;
    instance.boot_mode = facts.boot_mode;
    instance.current_boot_mode = facts.current_boot_mode;
    instance.ena_support = facts.ena_support;
    instance.sriov_net_simple = facts.sriov_net_simple;
    for (model::BlockDeviceMapping& mapping : instance.launch_mappings) {
        if (mapping.ebs && model::same_device(mapping.device_name, instance.root_device_name)) {
            mapping.ebs->snapshot_id = facts.launch_snapshot;
        }
    }
}

Error replace_root_task_not_found(const model::ReplaceRootTaskId& id) {
    return Error::api(Code::not_found, "InvalidReplaceRootVolumeTaskId.NotFound",
                      fmt::format("The replace root volume task '{}' does not exist.", id.str()));
}

Status erase_replace_root_tasks(catalog::Transaction& tx, const model::InstanceId& instance) {
    catalog::ReplaceRootTaskQuery query;
    query.instance = instance;
    TRY_ASSIGN(const auto tasks, tx.replace_root_tasks().list(query));
    for (const model::ReplaceRootTask& task : tasks) {
        TRY(tx.tags().erase_resource(task.id.str()));
        TRY(tx.replace_root_tasks().erase(task.id));
    }
    return ok();
}

Result<ReplaceRoots::Plan> ReplaceRoots::plan(catalog::Transaction& tx, const Caller& caller,
                                              const ReplaceRootInput& input) const {
    Plan plan;
    TRY_ASSIGN(auto found, find_instances(tx, caller, {input.instance}));
    plan.instance = std::move(found.front());
    const model::Instance& instance = plan.instance;
    if (instance.root_device_type != model::RootDeviceType::ebs) {
        return errors::unsupported(fmt::format(
            "The instance '{}' does not have an 'ebs' root device type.", instance.id.str()));
    }
    if (instance.state != model::InstanceState::running) {
        return wrong_state(
            fmt::format("The instance '{}' is not in a state from which its root "
                        "volume can be replaced.",
                        instance.id.str()));
    }
    TRY_ASSIGN(const bool under_way, has_job(tx, kReplaceRootJob, instance.id));
    if (under_way) {
        return Error::api(Code::failed_precondition, "IncorrectState",
                          fmt::format("The root volume of the instance '{}' is being replaced.",
                                      instance.id.str()));
    }
    TRY_ASSIGN(plan.root, root_of(tx, instance));
    plan.after = root_facts(instance);
    if (!input.volume.empty()) {
        TRY_ASSIGN(plan.given, find_volume(tx, caller, input.volume));
        TRY(check_given_root(*plan.given, instance));
        return plan;
    }
    if (!input.image.empty()) {
        TRY_ASSIGN(const auto image, Images::find_launchable(tx, caller, input.image));
        TRY(check_image(image, instance));
        plan.after.image = image.id;
        plan.after.boot_mode = image.boot_mode;
        plan.after.current_boot_mode = boot_mode_of(image, instance);
        plan.after.ena_support = image.ena_support;
        plan.after.sriov_net_simple = image.sriov_net_simple;
        plan.after.launch_snapshot =
            root_mapping(image.block_device_mappings, image.root_device_name)->snapshot_id;
        // LP-8: those of the image's owner are read on the caller's behalf.
        TRY_ASSIGN(plan.snapshot, tx.snapshots().get(plan.after.launch_snapshot));
        if (plan.snapshot.owner_id != image.owner_id) {
            TRY_ASSIGN(plan.snapshot,
                       find_readable_snapshot(tx, caller, plan.after.launch_snapshot));
        }
        return plan;
    }
    if (!input.snapshot.empty()) {
        TRY_ASSIGN(plan.snapshot, find_readable_snapshot(tx, caller, input.snapshot));
        if (model::lineage_of(plan.snapshot) != lineage_of(plan.root)) {
            return errors::invalid_parameter_value(
                fmt::format("The snapshot '{}' is not of the lineage of the root volume '{}'.",
                            plan.snapshot.id.str(), plan.root.id.str()));
        }
        return plan;
    }
    if (plan.after.launch_snapshot.empty()) {
        // It was started again by a service that did not keep it.
        TRY_ASSIGN(const auto image, tx.images().find(instance.image_id));
        const auto* ebs =
            image ? root_mapping(image->block_device_mappings, image->root_device_name) : nullptr;
        plan.after.launch_snapshot = ebs == nullptr ? model::SnapshotId() : ebs->snapshot_id;
    }
    // It had these bytes from its launch, whoever else may read them now.
    const auto snapshot = tx.snapshots().find(plan.after.launch_snapshot);
    TRY(snapshot);
    if (!*snapshot || (*snapshot)->state == model::SnapshotState::deleted) {
        return Error::api(
            Code::not_found, "InvalidSnapshot.NotFound",
            fmt::format("The snapshot{} that the root volume of the instance '{}' was launched "
                        "with does not exist.",
                        plan.after.launch_snapshot.empty()
                            ? ""
                            : " '" + plan.after.launch_snapshot.str() + "'",
                        instance.id.str()));
    }
    plan.snapshot = **snapshot;
    return plan;
}

// RRV-1: as the old one, but for its bytes.
Result<model::VolumeId> ReplaceRoots::make_root(catalog::Transaction& tx, const Caller& caller,
                                                const ReplaceRootInput& input, const Plan& plan,
                                                UnixMillis now) const {
    TRY(model::next(plan.snapshot.state, model::SnapshotEvent::read, plan.snapshot.id));
    VolumePlan made;
    made.ebs.snapshot_id = plan.snapshot.id;
    made.ebs.volume_size_gib = std::max(plan.root.size_gib, plan.snapshot.volume_size_gib);
    made.ebs.volume_type = plan.root.type;
    made.ebs.iops = plan.root.iops;
    made.ebs.throughput_mibps = plan.root.throughput_mibps;
    made.ebs.initialization_rate_mibps = input.initialization_rate_mibps;
    TRY(check_initialization_rate(made.ebs));
    made.base = plan.snapshot.content;
    made.lineage = model::lineage_of(plan.snapshot);
    made.source_image = plan.snapshot.source_image;
    if (input.snapshot.empty()) {  // of an image, or as it was launched
        made.source_image = model::SourceImage{plan.after.image, plan.instance.region};
    }
    made.local_zone = plan.snapshot.local_zone;
    made.fast_restores = !plan.snapshot.fast_restores.empty();
    TRY(authorize(caller, "ec2:CreateReplaceRootVolumeTask",
                  {planned_volume(caller, made, plan.root.availability_zone, {})}));
    TRY(check_volume_quota(tx, parts_.settings.quotas, caller, made.ebs));
    TRY(check_space(parts_.space, SpaceFor::data, "a volume"));  // SPC-1
    TRY_ASSIGN(model::Volume volume,
               make_volume(tx, parts_, caller, made, plan.root.availability_zone, now));
    volume.outpost_arn = plan.root.outpost_arn;
    volume.state = model::VolumeState::creating;
    TRY(tx.volumes().insert(volume));
    return volume.id;
}

Result<ReplaceRootView> ReplaceRoots::create_in(catalog::Transaction& tx, const Caller& caller,
                                                const ReplaceRootInput& input) {
    const ClientToken token{kAction, caller.region, input.client_token, input.request_hash};
    TRY_ASSIGN(const auto known, find_result(tx, caller, token));
    if (known) {
        ReplaceRootView view;
        TRY_ASSIGN(auto task, tx.replace_root_tasks().find(model::ReplaceRootTaskId(*known)));
        if (!task) {
            return replace_root_task_not_found(model::ReplaceRootTaskId(*known));
        }
        if (input.dry_run) {
            return errors::dry_run();  // WIRE-8
        }
        view.task = std::move(*task);
        TRY_ASSIGN(auto tags, tx.tags().of(caller.account, {*known}));
        view.tags = tags[*known];
        return view;
    }
    TRY_ASSIGN(const Plan plan, plan(tx, caller, input));
    const UnixMillis now = parts_.clock.now();
    model::VolumeId new_root = input.volume;
    if (!plan.given) {
        TRY_ASSIGN(new_root, make_root(tx, caller, input, plan, now));
    }
    if (input.dry_run) {
        return errors::dry_run();  // rolls everything back
    }
    model::ReplaceRootTask task;
    task.id = model::make_id<model::ReplaceRootTaskId>(parts_.rng);
    task.owner_id = caller.account;
    task.region = caller.region;
    task.instance_id = plan.instance.id;
    task.snapshot_id = plan.snapshot.id;
    task.image_id = input.image;
    task.old_root = plan.root.id;
    task.new_root = new_root;
    task.volume_given = plan.given.has_value();
    task.delete_replaced_root = input.delete_replaced_root;
    task.created = now;
    TRY(tx.replace_root_tasks().insert(task));
    const auto tags = tags_for(input.tags, "replace-root-volume-task");
    TRY(put_tags(tx, caller, "replace-root-volume-task", task.id.str(), tags));
    TRY(remember_result(tx, caller, token, task.id.str(), now));
    model::Job job = make_job(parts_.rng, now, kReplaceRootJob, plan.instance.id.str(), "ask");
    job.payload = ReplaceRootPayload{task.id, root_facts(plan.instance), plan.after}.text();
    TRY(tx.jobs().add(job));
    return ReplaceRootView{std::move(task), tags};
}

Result<ReplaceRootView> ReplaceRoots::create(const Caller& caller, const ReplaceRootInput& input) {
    TRY(check_tag_specifications(input.tags, {"replace-root-volume-task"}));
    if (int{!input.snapshot.empty()} + int{!input.image.empty()} + int{!input.volume.empty()} > 1) {
        return errors::invalid_parameter_combination(
            "Only one of SnapshotId, ImageId and VolumeId may be given.");
    }
    if (!input.volume.empty() && input.initialization_rate_mibps) {
        return errors::invalid_parameter_combination(
            "VolumeInitializationRate may not be given with VolumeId, which is a volume that is "
            "there already.");
    }
    TRY(check_client_token(input.client_token));
    auto view =
        parts_.store.run([&](catalog::Transaction& tx) { return create_in(tx, caller, input); });
    work_added_();
    return view;
}

Result<Page<ReplaceRootView>> ReplaceRoots::describe(const Caller& caller,
                                                     const DescribeReplaceRootsInput& input) {
    TRY(replace_root_filters().check(input.filters));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Page<ReplaceRootView>> {
        const auto rows = [&](const PageStart& piece) {
            catalog::ReplaceRootTaskQuery query;
            query.ids = input.ids;
            query.region = caller.region;
            query.owners = {caller.account};
            query.page.after = piece.after;
            query.page.limit = piece.limit.value_or(0);
            return tx.replace_root_tasks().list(query);
        };
        for (const model::ReplaceRootTaskId& id : input.ids) {  // IDL-2
            TRY_ASSIGN(const auto task, tx.replace_root_tasks().find(id));
            if (!task || task->owner_id != caller.account || task->region != caller.region) {
                return replace_root_task_not_found(id);
            }
        }
        const auto views =
            [&](std::vector<model::ReplaceRootTask> tasks) -> Result<std::vector<ReplaceRootView>> {
            std::vector<std::string> ids;
            for (const model::ReplaceRootTask& task : tasks) {
                ids.push_back(task.id.str());
            }
            TRY_ASSIGN(auto tags, tx.tags().of(caller.account, ids));
            std::vector<ReplaceRootView> shown;
            for (model::ReplaceRootTask& task : tasks) {
                ReplaceRootView view{std::move(task), {}};
                view.tags = tags[view.task.id.str()];
                if (replace_root_filters().matches(input.filters, view)) {
                    shown.push_back(std::move(view));
                }
            }
            return shown;
        };
        TRY_ASSIGN(auto found, read_page<ReplaceRootView>(start, !input.filters.empty(), rows,
                                                          cursor_of, views));
        return cut_page(caller, input.page, start, std::move(found),
                        [](const ReplaceRootView& view) { return cursor_of(view.task); });
    });
}

}  // namespace kiln::control
