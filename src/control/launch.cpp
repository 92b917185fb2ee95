// SPDX-License-Identifier: Apache-2.0
#include "control/launch.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/device_mappings.h"
#include "control/images.h"
#include "control/instance_worker.h"
#include "control/job_runner.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr char kAction[] = "RunInstances";
constexpr std::size_t kMaxClientToken = 64;  // IDM-1
constexpr std::int64_t kMaxInstancesPerCall = 1000;
constexpr std::size_t kMaxDevices = 28;  // BDM-13; also what the machine has slots for

bool lists(std::string_view comma_separated, std::string_view wanted) {
    const auto parts = split(comma_separated, ',');
    return std::find(parts.begin(), parts.end(), wanted) != parts.end();
}

model::BootMode boot_mode_of(const model::Image& image, const InstanceType& type) {  // BM-1
    if (image.boot_mode == model::BootMode::uefi ||
        (image.boot_mode == model::BootMode::uefi_preferred && type.uefi())) {
        return model::BootMode::uefi;
    }
    return model::BootMode::legacy_bios;
}

model::LayerRecord fresh_layer(io::Rng& rng, UnixMillis now, std::uint64_t size_bytes) {
    model::LayerRecord layer;
    layer.id = model::make_id<model::LayerId>(rng);
    layer.size_bytes = size_bytes;
    layer.created = now;
    return layer;
}

}  // namespace

std::uint64_t guest_memory_mib(const Settings& settings, const InstanceType& type) {
    return settings.guest_memory_cap_mib == 0
               ? type.memory_mib
               : std::min(type.memory_mib, settings.guest_memory_cap_mib);
}

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
    if (input_.client_token.size() > kMaxClientToken) {
        return Error::api(
            Code::invalid_argument, "InvalidClientToken",
            fmt::format("The client token is longer than {} characters.", kMaxClientToken));
    }
    TRY(check_network(input_.network, input_.max_count));
    return check_tag_specifications(input_.tags, {"instance", "volume", "network-interface"});
}

Status Launch::check_image(const model::Image& image, const InstanceType& type) const {  // RUN-3
    const std::string_view architecture = model::to_string(image.architecture);
    if (!lists(type.family->architectures, architecture)) {
        return errors::invalid_parameter_value(
            fmt::format("The architecture '{}' of the specified instance type does not match the "
                        "architecture '{}' of "
                        "the specified AMI. Specify an instance type and an AMI that have matching "
                        "architectures, and "
                        "try again.",
                        type.family->architectures, architecture));
    }
    const std::string_view virtualization = model::to_string(image.virtualization_type);
    if (!lists(type.family->virtualization_types, virtualization)) {
        return errors::invalid_parameter_combination(
            fmt::format("Non-Windows instances with a virtualization type of '{}' are currently "
                        "not supported for this "
                        "instance type.",
                        virtualization));
    }
    if (image.virtualization_type == model::VirtualizationType::paravirtual) {
        return errors::unsupported(
            "Booting paravirtual images is not built yet; register the image as hvm.");
    }
    if (type.ena_required() && !image.ena_support) {
        return errors::invalid_parameter_combination(
            fmt::format("Enhanced networking with the Elastic Network Adapter (ENA) is required "
                        "for the '{}' instance "
                        "type. Ensure that you are using an AMI that is enabled for ENA.",
                        type.name));
    }
    if (image.boot_mode == model::BootMode::uefi && !type.uefi()) {  // BM-1
        return errors::invalid_parameter_combination(fmt::format(
            "The boot mode uefi of the AMI is not supported by the instance type {}.", type.name));
    }
    if (image.tpm_v2) {
        return errors::unsupported("Instances with a TPM are not built yet.");
    }
    return ok();
}

Result<std::vector<Launch::VolumePlan>> Launch::plan_volumes(
    catalog::Transaction& tx, const model::Image& image,
    const model::BlockDeviceMappings& mappings) const {
    std::vector<VolumePlan> plans;
    for (const model::BlockDeviceMapping& mapping : mappings) {
        if (!mapping.ebs) {
            continue;  // BDM-2: an instance store device the type may or may not have
        }
        VolumePlan plan{mapping.device_name, *mapping.ebs, {}};
        model::EbsBlockDevice& ebs = plan.ebs;
        if (ebs.encrypted.value_or(false) || !ebs.kms_key_id.empty()) {
            return errors::unsupported(
                "Encrypted volumes are not built yet; leave out Encrypted and KmsKeyId.");
        }
        if (!ebs.snapshot_id.empty()) {
            // The image's own snapshots are readable through the image, whoever owns them.
            const bool of_image =
                std::any_of(image.block_device_mappings.begin(), image.block_device_mappings.end(),
                            [&](const auto& entry) {
                                return entry.ebs && entry.ebs->snapshot_id == ebs.snapshot_id;
                            });
            model::Snapshot snapshot;
            if (of_image) {
                TRY_ASSIGN(snapshot, tx.snapshots().get(ebs.snapshot_id));
            } else {
                TRY_ASSIGN(snapshot, find_readable_snapshot(tx, caller_, ebs.snapshot_id));
            }
            ebs.volume_size_gib = ebs.volume_size_gib.value_or(snapshot.volume_size_gib);
            if (*ebs.volume_size_gib < snapshot.volume_size_gib) {  // BDM-12
                return errors::invalid_mapping(fmt::format(
                    "Volume of size {}GB is smaller than snapshot '{}', expect size >= {}GB",
                    *ebs.volume_size_gib, snapshot.id.str(), snapshot.volume_size_gib));
            }
            plan.base = snapshot.content;
        }
        if (!ebs.volume_size_gib) {  // BDM-3
            return errors::missing_parameter("size or snapshotId");
        }
        ebs.volume_type = ebs.volume_type.value_or(model::VolumeType::gp2);  // BDM-7
        TRY(check_volume_limits(*ebs.volume_type, *ebs.volume_size_gib, ebs));
        const bool root = model::same_device(mapping.device_name, image.root_device_name);
        ebs.delete_on_termination = ebs.delete_on_termination.value_or(root);  // BDM-8
        plans.push_back(std::move(plan));
    }
    if (plans.size() > kMaxDevices) {
        return Error::api(Code::resource_exhausted, "AttachmentLimitExceeded",
                          fmt::format("An instance takes at most {} volumes.", kMaxDevices));
    }
    // RUN-5: the root device first.
    std::stable_partition(plans.begin(), plans.end(), [&](const VolumePlan& plan) {
        return model::same_device(plan.device, image.root_device_name);
    });
    return plans;
}

Result<std::size_t> Launch::how_many(catalog::Transaction& tx, const InstanceType& type) const {
    const auto wanted = static_cast<std::size_t>(input_.max_count);
    const auto host_mib = parts_.hypervisor.host_memory_mib();
    if (!host_mib) {
        return wanted;
    }
    catalog::InstanceQuery live;
    live.states = {model::InstanceState::pending, model::InstanceState::running,
                   model::InstanceState::stopping, model::InstanceState::shutting_down};
    TRY_ASSIGN(const auto instances, tx.instances().list(live));
    std::uint64_t used_mib = 0;
    for (const model::Instance& instance : instances) {
        if (const InstanceType* known = find_instance_type(instance.instance_type)) {
            used_mib += guest_memory_mib(parts_.settings, *known);
        }
    }
    const auto usable = static_cast<std::uint64_t>(static_cast<double>(*host_mib) *
                                                   parts_.settings.memory_overcommit);
    const std::uint64_t each = guest_memory_mib(parts_.settings, type);
    const std::uint64_t fit = usable > used_mib ? (usable - used_mib) / each : 0;
    if (fit < static_cast<std::uint64_t>(input_.min_count)) {  // RUN-1: none if fewer than MinCount
        return Error::api(
            Code::resource_exhausted, "InsufficientInstanceCapacity",
            fmt::format(
                "We currently do not have sufficient {} capacity: {} MiB of memory are free and "
                "each instance takes {} MiB.",
                type.name, usable > used_mib ? usable - used_mib : 0, each));
    }
    return static_cast<std::size_t>(std::min<std::uint64_t>(fit, wanted));
}

Result<std::optional<std::vector<model::Instance>>> Launch::replay(catalog::Transaction& tx) {
    using Found = std::optional<std::vector<model::Instance>>;
    if (input_.client_token.empty()) {
        return Found();
    }
    model::IdempotencyToken token;
    token.account = caller_.account;
    TRY_ASSIGN(token.scope, token_scope(tx, parts_, caller_, input_.availability_zone,
                                        input_.network.subnet));  // IDM-6
    token.action = kAction;
    token.token = input_.client_token;
    TRY_ASSIGN(const auto known, tx.tokens().find(token.id()));
    if (!known) {
        return Found();
    }
    if (known->request_hash != input_.request_hash) {  // IDM-2
        return Error::api(
            Code::invalid_argument, "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous "
            "request(s).");
    }
    catalog::InstanceQuery query;
    query.reservations = {model::ReservationId(known->result)};
    TRY_ASSIGN(auto instances, tx.instances().list(query));
    const bool gone =
        std::all_of(instances.begin(), instances.end(), [](const model::Instance& instance) {
            return instance.state == model::InstanceState::terminated;
        });
    if (gone) {  // IDM-5
        return Error::api(Code::failed_precondition, "IdempotentInstanceTerminated",
                          "The instances launched with this client token have been terminated.");
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
    instance.current_boot_mode = boot_mode_of(image, type);
    instance.product_codes = image.product_codes;
    instance.shutdown_behavior = input_.shutdown_behavior;
    instance.disable_api_termination = input_.disable_api_termination;
    instance.disable_api_stop = input_.disable_api_stop;
    return instance;
}

Status Launch::insert_instance(catalog::Transaction& tx, const model::Instance& instance,
                               const std::vector<VolumePlan>& volumes) const {
    TRY(tx.instances().insert(instance));
    TRY(put_tags(tx, caller_, "instance", instance.id.str(), tags_for(input_.tags, "instance")));
    TRY(put_tags(tx, caller_, "network-interface", instance.network_interface_id.str(),
                 tags_for(input_.tags, "network-interface")));
    for (const VolumePlan& plan : volumes) {
        const std::uint64_t size_bytes = std::uint64_t{*plan.ebs.volume_size_gib} * kGiB;
        const model::LayerRecord layer = fresh_layer(parts_.rng, instance.created, size_bytes);
        TRY(tx.layers().insert(layer));
        model::Volume volume;
        volume.id = model::make_id<model::VolumeId>(parts_.rng);
        volume.owner_id = caller_.account;
        volume.region = caller_.region;
        volume.availability_zone = instance.availability_zone;
        volume.state = model::VolumeState::in_use;
        volume.size_gib = *plan.ebs.volume_size_gib;
        volume.type = *plan.ebs.volume_type;
        volume.iops = plan.ebs.iops;
        volume.throughput_mibps = plan.ebs.throughput_mibps;
        volume.snapshot_id = plan.ebs.snapshot_id;
        volume.base_content = plan.base;
        volume.active_layer = layer.id;
        volume.attachment =
            model::VolumeAttachment{instance.id, plan.device, model::AttachmentState::attaching,
                                    *plan.ebs.delete_on_termination, instance.created};
        volume.created = instance.created;
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
    TRY(check_image(image, *type));
    TRY(check_mapping_list(input_.block_device_mappings, image.virtualization_type));
    TRY_ASSIGN(const auto mappings,
               merge_launch_mappings(image.block_device_mappings, input_.block_device_mappings,
                                     image.root_device_name));
    TRY_ASSIGN(const auto volumes, plan_volumes(tx, image, mappings));
    TRY_ASSIGN(const std::size_t fit, how_many(tx, *type));
    TRY_ASSIGN(const LaunchNetwork network,
               plan_network(tx, parts_, caller_, input_.network, input_.availability_zone,
                            static_cast<std::size_t>(input_.min_count), fit));
    const std::size_t count = network.addresses.size();
    if (input_.dry_run) {
        return errors::dry_run();  // WIRE-8
    }

    std::vector<model::Instance> made;
    model::Instance instance = draft(image, *type, mappings);
    instance.reservation_id = model::make_id<model::ReservationId>(parts_.rng);
    for (std::size_t i = 0; i < count; ++i) {
        instance.id = model::make_id<model::InstanceId>(parts_.rng);
        instance.launch_index = static_cast<std::uint32_t>(i);
        join_network(instance, network, i, parts_.rng);
        TRY(insert_instance(tx, instance, volumes));
        made.push_back(instance);
    }
    image.last_launched = instance.created;  // RUN-12
    TRY(tx.images().update(image));
    if (!input_.client_token.empty()) {
        model::IdempotencyToken token;
        token.account = caller_.account;
        TRY_ASSIGN(token.scope, token_scope(tx, parts_, caller_, input_.availability_zone,
                                            input_.network.subnet));
        token.action = kAction;
        token.token = input_.client_token;
        token.request_hash = input_.request_hash;
        token.result = instance.reservation_id.str();
        token.created = instance.created;
        TRY(tx.tokens().insert(token));
    }
    return made;
}

}  // namespace kiln::control
