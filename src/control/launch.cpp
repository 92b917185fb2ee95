// SPDX-License-Identifier: Apache-2.0
#include "control/launch.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/capacity.h"
#include "control/device_mappings.h"
#include "control/fast_launch_pool.h"
#include "control/image_rules.h"
#include "control/images.h"
#include "control/instance_worker.h"
#include "control/job_runner.h"
#include "control/key_pairs.h"
#include "control/launch_access.h"
#include "control/machine_fit.h"
#include "control/quotas.h"
#include "control/region_settings.h"
#include "control/space.h"
#include "control/zones.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr char kAction[] = "RunInstances";
constexpr std::int64_t kMaxInstancesPerCall = 1000;
constexpr std::size_t kMaxUserData = 16'384;  // RUN-4

// BM-1; `uefi`: both the type and the place have it.
model::BootMode boot_mode_of(const model::Image& image, bool uefi) {
    if (image.boot_mode == model::BootMode::uefi ||
        (image.boot_mode == model::BootMode::uefi_preferred && uefi)) {
        return model::BootMode::uefi;
    }
    return model::BootMode::legacy_bios;
}

// REG-5
Status check_firmware(const model::Image& image, const model::Subnet& subnet, bool uefi) {
    if (image.boot_mode == model::BootMode::uefi && !uefi) {
        return errors::invalid_parameter_combination(fmt::format(
            "The boot mode uefi of the AMI is not supported {} {}.",
            subnet.outpost_arn.empty() ? "in the zone" : "on the outpost",
            subnet.outpost_arn.empty() ? subnet.availability_zone : subnet.outpost_arn));
    }
    return ok();
}

// LT-12: the service's own, which no request can set.
std::vector<model::Tag> template_tags(const RunInstancesInput& input) {
    if (input.launch_template.id.empty()) {
        return {};
    }
    return {{"aws:ec2launchtemplate:id", input.launch_template.id.str()},
            {"aws:ec2launchtemplate:version", std::to_string(input.launch_template.version)}};
}

}  // namespace

Status Launch::check() const {
    if (input_.min_count < 1 || input_.max_count < 1) {
        return errors::invalid_parameter_value("MinCount and MaxCount must be at least 1.");
    }
    if (input_.min_count > input_.max_count) {
        return errors::invalid_parameter_combination("MinCount may not exceed MaxCount.");
    }
    if (input_.max_count > kMaxInstancesPerCall) {
        return errors::invalid_parameter_value(fmt::format(
            "At most {} instances may be launched by one request.", kMaxInstancesPerCall));
    }
    TRY(check_client_token(input_.client_token));
    if (input_.user_data.size() > kMaxUserData) {
        return errors::invalid_parameter_value(
            fmt::format("User data is limited to {} bytes", kMaxUserData));
    }
    TRY(check_metadata_options(input_.metadata_options));
    TRY(check_network(input_.network, input_.max_count));
    return check_tag_specifications(input_.tags, {"instance", "volume", "network-interface"});
}

Result<std::vector<VolumePlan>> Launch::plan_volumes(
    catalog::Transaction& tx, const model::Image& image,
    const model::BlockDeviceMappings& mappings) const {
    std::vector<VolumePlan> plans;
    for (const model::BlockDeviceMapping& mapping : mappings) {
        if (!mapping.ebs) {
            continue;  // BDM-2: an instance store device the type may or may not have
        }
        // The image's own snapshots are readable through the image, whoever owns them.
        const bool of_image =
            std::any_of(image.block_device_mappings.begin(), image.block_device_mappings.end(),
                        [&](const auto& entry) {
                            return entry.ebs && entry.ebs->snapshot_id == mapping.ebs->snapshot_id;
                        });
        TRY_ASSIGN(VolumePlan plan,
                   plan_volume(tx, caller_, *mapping.ebs, of_image ? &image : nullptr));
        plan.device = mapping.device_name;
        const bool root = model::same_device(mapping.device_name, image.root_device_name);
        if (root && is_cold(*plan.ebs.volume_type)) {  // BDM-10
            return errors::cold_root(model::to_string(*plan.ebs.volume_type));
        }
        plan.ebs.delete_on_termination = plan.ebs.delete_on_termination.value_or(root);  // BDM-8
        if (root) {
            plan.source_image = model::SourceImage{image.id, image.region};
        }
        plans.push_back(std::move(plan));
    }
    if (plans.size() > kMaxDevices) {
        return Error::api(Code::resource_exhausted, "AttachmentLimitExceeded",
                          fmt::format("An instance takes at most {} volumes.", kMaxDevices));
    }
    // The root device first.
    std::stable_partition(plans.begin(), plans.end(), [&](const VolumePlan& plan) {
        return model::same_device(plan.device, image.root_device_name);
    });
    return plans;
}

Result<ClientToken> Launch::client_token(catalog::Transaction& tx) const {
    TRY_ASSIGN(auto scope, token_scope(tx, parts_, caller_, input_.token_place.availability_zone,
                                       input_.token_place.subnet));  // IDM-6
    return ClientToken{kAction, std::move(scope), input_.client_token, input_.request_hash};
}

Result<std::optional<std::vector<model::Instance>>> Launch::replay(catalog::Transaction& tx) {
    using Found = std::optional<std::vector<model::Instance>>;
    TRY_ASSIGN(const ClientToken token, client_token(tx));
    TRY_ASSIGN(const auto known, find_result(tx, caller_, token));
    if (!known) {
        return Found();
    }
    catalog::InstanceQuery query;
    query.reservations = {model::ReservationId(*known)};
    TRY_ASSIGN(auto instances, tx.instances().list(query));
    const bool gone =
        std::all_of(instances.begin(), instances.end(), [](const model::Instance& instance) {
            return instance.state == model::InstanceState::terminated;
        });
    if (gone) {  // IDM-5
        return Error::api(Code::failed_precondition, "IdempotentInstanceTerminated",
                          "The instances launched with this client token have been terminated.");
    }
    if (input_.dry_run) {
        return errors::dry_run();  // WIRE-8
    }
    return Found(std::move(instances));
}

model::Instance Launch::draft(const model::Image& image, const InstanceType& type,
                              const model::BlockDeviceMappings& mappings) const {
    model::Instance instance;
    instance.owner_id = caller_.account;
    instance.region = caller_.region;
    instance.client_token = input_.client_token;
    instance.state = model::InstanceState::pending;
    instance.state_reason = model::StateReason{"pending", "pending"};  // INS-3
    instance.created = parts_.clock.now();
    instance.launched = instance.created;
    instance.image_id = image.id;
    instance.instance_type = type.name;
    instance.architecture = image.architecture;
    instance.virtualization_type = image.virtualization_type;
    instance.platform = image.platform;
    instance.platform_details = image.platform_details;
    instance.usage_operation = image.usage_operation;
    instance.root_device_name = image.root_device_name;
    instance.root_device_type = image.root_device_type;
    instance.launch_mappings = mappings;
    instance.ena_support = image.ena_support;
    instance.sriov_net_simple = image.sriov_net_simple;
    instance.ebs_optimized = input_.ebs_optimized;
    instance.boot_mode = image.boot_mode;
    instance.disk_transport = parts_.settings.disk_transport;
    instance.product_codes = image.product_codes;
    instance.user_data = input_.user_data;
    instance.detailed_monitoring = input_.detailed_monitoring;
    instance.cpu_credits = input_.cpu_credits;
    instance.capacity_preference = input_.capacity_preference;
    instance.shutdown_behavior = input_.shutdown_behavior;
    instance.disable_api_termination = input_.disable_api_termination;
    instance.disable_api_stop = input_.disable_api_stop;
    return instance;
}

Status Launch::insert_instance(catalog::Transaction& tx, const model::Instance& instance,
                               const std::vector<VolumePlan>& volumes) const {
    TRY(tx.instances().insert(instance));
    TRY(put_tags(tx, caller_, "instance", instance.id.str(), tags_for(input_.tags, "instance")));
    TRY(put_tags(tx, caller_, "instance", instance.id.str(), template_tags(input_)));
    TRY(put_tags(tx, caller_, "network-interface", instance.network_interface_id.str(),
                 tags_for(input_.tags, "network-interface")));
    for (const VolumePlan& plan : volumes) {
        TRY_ASSIGN(model::Volume volume, make_volume(tx, parts_, caller_, plan,
                                                     instance.availability_zone, instance.created));
        volume.outpost_arn = instance.outpost_arn;
        TRY(model::add_attachment(volume,
                                  {instance.id, plan.device, model::AttachmentState::attaching,
                                   *plan.ebs.delete_on_termination, instance.created}));
        TRY(tx.volumes().insert(volume));
        TRY(put_tags(tx, caller_, "volume", volume.id.str(), tags_for(input_.tags, "volume")));
    }
    return tx.jobs().add(
        make_job(parts_.rng, instance.created, kLaunchJob, instance.id.str(), "start"));
}

Result<std::vector<model::Instance>> Launch::run(catalog::Transaction& tx) {
    TRY_ASSIGN(auto known, replay(tx));
    if (known) {
        return std::move(*known);
    }
    TRY_ASSIGN(model::Image image, Images::find_launchable(tx, caller_, input_.image_id));
    const std::string wanted_type =
        input_.instance_type.empty() ? std::string(kDefaultInstanceType) : input_.instance_type;
    const InstanceType* type = find_instance_type(wanted_type);
    if (type == nullptr) {  // RUN-2
        return errors::invalid_parameter_value(
            fmt::format("Invalid value '{}' for InstanceType.", wanted_type));
    }
    TRY(check_fit({.architecture = image.architecture,
                   .virtualization_type = image.virtualization_type,
                   .ena_support = image.ena_support,
                   .boot_mode = image.boot_mode,
                   .tpm_v2 = image.tpm_v2},
                  *type));
    TRY(check_runs_on(image, type->name));  // ITS-3
    TRY(check_mapping_list(input_.block_device_mappings, image.virtualization_type));
    TRY_ASSIGN(const auto mappings,
               merge_launch_mappings(image.block_device_mappings, input_.block_device_mappings,
                                     image.root_device_name));
    TRY_ASSIGN(const auto volumes, plan_volumes(tx, image, mappings));
    model::KeyPair key;
    if (!input_.key_name.empty()) {  // RUN-6
        TRY_ASSIGN(key, find_key_pair(tx, caller_, input_.key_name));
    }
    TRY_ASSIGN(const auto profile, find_launch_profile(tx, caller_, input_.profile));  // RUN-7
    TRY_ASSIGN(const auto settings, region_settings(tx, caller_.account, caller_.region));
    TRY_ASSIGN(const auto metadata,
               launch_metadata_options(input_.metadata_options, settings.metadata, image));
    if (metadata.instance_tags_enabled) {  // the account's default may say so
        TRY(check_metadata_tags(tags_for(input_.tags, "instance")));
    }
    const auto least = static_cast<std::size_t>(input_.min_count);
    TRY_ASSIGN(const std::size_t room,
               find_room(tx, parts_.settings.quotas, caller_, *type, volumes, least,
                         static_cast<std::size_t>(input_.max_count)));
    TRY_ASSIGN(const std::size_t fit, find_capacity(tx, parts_, *type, least, room));
    TRY_ASSIGN(const LaunchNetwork network, plan_network(tx, parts_, caller_, input_.network,
                                                         input_.availability_zone, least, fit));
    const std::size_t count = network.addresses.size();
    const model::Subnet& subnet = network.subnet;
    const bool uefi =
        has_uefi(parts_.topology, caller_.region, subnet.availability_zone, subnet.outpost_arn);
    model::Instance instance = draft(image, *type, mappings);
    instance.current_boot_mode = boot_mode_of(image, uefi && type->uefi());
    instance.metadata_options = metadata;
    instance.key_name = key.name;
    instance.public_key = key.public_key;
    instance.profile = profile;
    TRY(authorize_launch(tx, caller_, input_, instance, volumes, network));
    TRY(check_firmware(image, subnet, uefi));
    for (const VolumePlan& plan : volumes) {
        TRY(check_zone(plan, subnet.availability_zone));
    }
    TRY(check_space(parts_.space, SpaceFor::launch, "a launch"));  // SPC-1
    if (input_.dry_run) {
        return errors::dry_run();  // WIRE-8
    }

    std::vector<model::Instance> made;
    instance.reservation_id = model::make_id<model::ReservationId>(parts_.rng);
    for (std::size_t i = 0; i < count; ++i) {
        instance.id = model::make_id<model::InstanceId>(parts_.rng);
        instance.launch_index = static_cast<std::uint32_t>(i);
        join_network(instance, network, i, parts_.rng);
        std::vector<VolumePlan> own = volumes;
        std::optional<model::Snapshot> prepared;
        if (!input_.prepares && !own.empty()) {  // FLN-4
            TRY_ASSIGN(prepared, take_prepared(tx, parts_, caller_, image,
                                               instance.availability_zone, own.front()));
        }
        TRY(insert_instance(tx, instance, own));
        if (prepared) {
            TRY(drop_prepared(tx, parts_, *prepared));
        }
        made.push_back(instance);
    }
    image.last_launched = instance.created;  // RUN-12
    TRY(tx.images().update(image));
    TRY_ASSIGN(const ClientToken token, client_token(tx));
    TRY(remember_result(tx, caller_, token, instance.reservation_id.str(), instance.created));
    return made;
}

}  // namespace kiln::control
