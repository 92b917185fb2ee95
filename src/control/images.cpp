// SPDX-License-Identifier: Apache-2.0
#include "control/images.h"

#include <fmt/format.h>

#include "compute/uefi/aws_data.h"
#include "control/api_errors.h"
#include "control/device_mappings.h"
#include "control/image_search.h"
#include "control/places.h"
#include "control/quotas.h"
#include "control/snapshot_access.h"
#include "control/space.h"

namespace kiln::control {
namespace {

using model::BlockDeviceMapping;
using model::BlockDeviceMappings;

constexpr std::size_t kMaxUefiData = 64'000;  // characters

Status check_boot(const RegisterImageInput& input) {
    const bool hvm = input.virtualization_type == model::VirtualizationType::hvm;
    if (!hvm && input.ena_support) {  // RI-10
        return errors::invalid_parameter_combination(
            "Enhanced networking (EnaSupport) requires the virtualization type hvm.");
    }
    if (!hvm && input.boot_mode) {
        return errors::invalid_parameter_combination(
            "BootMode requires the virtualization type hvm.");
    }
    if (input.tpm_v2 && input.boot_mode != model::BootMode::uefi) {  // RI-11
        return errors::invalid_parameter_combination("TpmSupport v2.0 requires BootMode uefi.");
    }
    if (input.architecture == model::Architecture::arm64 &&
        input.boot_mode == model::BootMode::legacy_bios) {
        return errors::invalid_parameter_combination(
            "The architecture arm64 cannot boot in the mode legacy-bios.");
    }
    return ok();
}

// RI-11
Status check_uefi_data(const RegisterImageInput& input) {
    if (input.uefi_data.empty()) {
        return ok();
    }
    if (input.boot_mode != model::BootMode::uefi &&
        input.boot_mode != model::BootMode::uefi_preferred) {
        return errors::invalid_parameter_combination(
            "UefiData requires BootMode uefi or uefi-preferred.");
    }
    if (input.uefi_data.size() > kMaxUefiData) {
        return errors::invalid_parameter_value(fmt::format(
            "Value for parameter UefiData is invalid. It may have {} characters.", kMaxUefiData));
    }
    if (const auto variables = compute::decode_uefi_data(input.uefi_data); !variables) {
        return errors::invalid_parameter_value(fmt::format(
            "Value for parameter UefiData is invalid: {}.", variables.error().message()));
    }
    return ok();
}

// RI-2: the mapping entry of the root device, which must bring the snapshot that the image boots
// from.
Status check_root(const RegisterImageInput& input) {
    const Error no_root = errors::invalid_mapping("No root snapshot specified in device mapping.");
    for (const BlockDeviceMapping& mapping : input.block_device_mappings) {
        if (mapping.device_name != input.root_device_name) {
            continue;
        }
        if (mapping.no_device || !mapping.ebs || mapping.ebs->snapshot_id.empty()) {
            return no_root;
        }
        const auto type = mapping.ebs->volume_type;
        if (type && is_cold(*type)) {  // RI-5
            return errors::cold_root(model::to_string(*type));
        }
        return ok();
    }
    return no_root;
}

Status check_entries(const BlockDeviceMappings& mappings) {
    for (const BlockDeviceMapping& mapping : mappings) {
        if (mapping.no_device || !mapping.ebs) {
            continue;
        }
        const model::EbsBlockDevice& ebs = *mapping.ebs;
        if (ebs.snapshot_id.empty() && !ebs.volume_size_gib) {  // BDM-3
            return errors::missing_parameter("size or snapshotId");
        }
        if (!ebs.kms_key_id.empty()) {  // RI-6
            return errors::invalid_parameter_combination(
                "KmsKeyId is not supported for RegisterImage.");
        }
        if (!ebs.snapshot_id.empty() && ebs.encrypted) {
            return errors::invalid_parameter_combination(
                fmt::format("The parameter Encrypted must not be given for the device '{}', which "
                            "has a snapshot.",
                            mapping.device_name));
        }
        if (ebs.encrypted.value_or(false)) {
            return errors::unsupported("Encrypted volumes are not built yet; leave out Encrypted.");
        }
    }
    return ok();
}

// RI-16: what the root's snapshot knows, unless it is an image that is nothing to the caller.
Status name_source(catalog::Transaction& tx, const Caller& caller, model::Image& image) {
    for (const BlockDeviceMapping& mapping : image.block_device_mappings) {
        if (mapping.device_name != image.root_device_name) {
            continue;
        }
        TRY_ASSIGN(const auto snapshot, tx.snapshots().get(mapping.ebs->snapshot_id));
        if (!snapshot.source_image) {
            return ok();
        }
        TRY_ASSIGN(const auto source, tx.images().find(snapshot.source_image->id));
        if (source && may_use(*source, caller)) {
            image.source_image_id = snapshot.source_image->id;
            image.source_image_region = snapshot.source_image->region;
        }
        return ok();
    }
    return ok();
}

Error not_authorized(const model::ImageId& id) {
    return Error::api(Code::permission_denied, "AuthFailure",
                      fmt::format("Not authorized for images: [{}]", id.str()));
}

// DR-4: who could not use an image learns nothing about it once it is gone.
Result<std::optional<model::Image>> find_here(catalog::Transaction& tx, const Caller& caller,
                                              const model::ImageId& id) {
    TRY_ASSIGN(auto image, tx.images().find(id));
    const bool gone = image && image->state == model::ImageState::deregistered;
    if (!image || image->region != caller.region || (gone && !may_use(*image, caller))) {
        image.reset();
    }
    return image;
}

Error not_authorized_for_image(const model::ImageId& id) {
    return Error::api(Code::permission_denied, "AuthFailure",
                      fmt::format("Not authorized for image:{}", id.str()));
}

}  // namespace

Status Images::check_name(const std::string& name) {  // IMGN-1
    if (!is_valid_image_name(name)) {
        return Error::api(Code::invalid_argument, "InvalidAMIName.Malformed",
                          "AMI names must be between 3 and 128 characters long, and may contain "
                          "letters, numbers, "
                          "'(', ')', '.', '-', '/' and '_'");
    }
    return ok();
}

Status Images::check(const RegisterImageInput& input) {
    TRY(check_name(input.name));
    TRY(check_image_description(input.description));
    if (input.block_device_mappings.empty()) {
        return errors::missing_parameter("BlockDeviceMapping");
    }
    TRY(check_mapping_list(input.block_device_mappings, input.virtualization_type));
    TRY(check_root(input));
    TRY(check_entries(input.block_device_mappings));
    TRY(check_boot(input));
    TRY(check_uefi_data(input));
    return check_tag_specifications(input.tags, {"image"});
}

Status Images::check_name_is_free(catalog::Transaction& tx, const Caller& caller,
                                  const std::string& name) {
    catalog::ImageQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    query.names = {name};
    query.states = {model::ImageState::pending, model::ImageState::available,
                    model::ImageState::disabled};
    TRY_ASSIGN(const auto images, tx.images().list(query));
    if (!images.empty()) {
        return Error::api(
            Code::already_exists, "InvalidAMIName.Duplicate",
            fmt::format("AMI name {} is already in use by AMI {}", name, images.front().id.str()));
    }
    return ok();
}

Status Images::check_id_is_free(catalog::Transaction& tx, const model::ImageId& id) {
    if (id.empty()) {
        return ok();
    }
    TRY_ASSIGN(const auto taken, tx.images().find(id));
    if (taken) {
        return errors::invalid_parameter_value(
            fmt::format("The image id '{}' is or was in use; ids are never used again.", id.str()));
    }
    return ok();
}

Result<BlockDeviceMappings> Images::resolve_mappings(catalog::Transaction& tx, const Caller& caller,
                                                     const RegisterImageInput& input) {
    BlockDeviceMappings resolved;
    std::vector<model::Snapshot> snapshots;
    for (BlockDeviceMapping mapping : input.block_device_mappings) {
        if (mapping.no_device) {
            continue;
        }
        if (mapping.ebs) {
            model::EbsBlockDevice& ebs = *mapping.ebs;
            if (!ebs.snapshot_id.empty()) {
                TRY_ASSIGN(const model::Snapshot snapshot,
                           find_readable_snapshot(tx, caller, ebs.snapshot_id));
                const std::uint32_t size = ebs.volume_size_gib.value_or(snapshot.volume_size_gib);
                if (size < snapshot.volume_size_gib) {  // RI-7
                    return errors::invalid_mapping(fmt::format(
                        "Volume of size {}GB is smaller than snapshot '{}', expect size >= {}GB",
                        size, snapshot.id.str(), snapshot.volume_size_gib));
                }
                ebs.volume_size_gib = size;
                ebs.encrypted = snapshot.encrypted;  // IMG-3
                snapshots.push_back(snapshot);
            } else {
                ebs.encrypted = false;
            }
            ebs.volume_type = ebs.volume_type.value_or(model::VolumeType::gp2);  // BDM-7
            TRY(check_volume_limits(*ebs.volume_type, *ebs.volume_size_gib, ebs));
            add_default_performance(ebs);  // VOL-20
            const bool root = mapping.device_name == input.root_device_name;
            ebs.delete_on_termination = ebs.delete_on_termination.value_or(root);  // RI-8
        }
        resolved.push_back(std::move(mapping));
    }
    TRY(check_one_place(snapshots));  // REG-5
    return resolved;
}

Result<model::Image> Images::insert(catalog::Transaction& tx, const Caller& caller,
                                    const RegisterImageInput& input) {
    TRY(check_name_is_free(tx, caller, input.name));
    TRY(check_id_is_free(tx, input.id));
    TRY(check_image_quota(tx, quotas_, caller));
    model::Image image;
    TRY_ASSIGN(image.block_device_mappings, resolve_mappings(tx, caller, input));
    image.id = input.id.empty() ? model::make_id<model::ImageId>(rng_) : input.id;
    image.owner_id = caller.account;
    image.region = caller.region;
    image.name = input.name;
    image.description = input.description;
    TRY_ASSIGN(const model::Account owner, tx.accounts().get(caller.account));
    image.owner_alias = owner.alias;
    image.location = image_location(owner, input.name);
    image.state = model::ImageState::available;  // its snapshots are completed (RI-3)
    image.architecture = input.architecture;
    image.virtualization_type = input.virtualization_type;
    image.platform = input.windows ? "windows" : "";
    image.platform_details = input.windows ? "Windows" : "Linux/UNIX";  // PC-9
    image.usage_operation = input.windows ? "RunInstances:0002" : "RunInstances";
    image.launch_permissions.everybody = input.everybody;
    image.root_device_name = input.root_device_name;
    TRY(name_source(tx, caller, image));
    image.ena_support = input.ena_support;
    // RI-10: Terraform sends it for paravirtual images too.
    image.sriov_net_simple =
        input.sriov_net_simple && input.virtualization_type == model::VirtualizationType::hvm;
    image.boot_mode = input.boot_mode;
    image.tpm_v2 = input.tpm_v2;
    image.imds_v2 = input.imds_v2;
    image.uefi_data = input.uefi_data;
    image.public_parameter = input.public_parameter;
    image.created = clock_.now();
    TRY(tx.images().insert(image));
    TRY(put_tags(tx, caller, "image", image.id.str(), tags_for(input.tags, "image")));
    return image;
}

Result<model::ImageId> Images::register_image(const Caller& caller,
                                              const RegisterImageInput& input) {
    TRY(check(input));
    TRY_ASSIGN(const model::Image image,
               store_.run([&](catalog::Transaction& tx) -> Result<model::Image> {
                   TRY_ASSIGN(const model::Image made, insert(tx, caller, input));
                   TRY(check_space(space_, SpaceFor::data, "an image"));  // SPC-1
                   if (input.dry_run) {
                       return errors::dry_run();  // rolls everything back
                   }
                   return made;
               }));
    return image.id;
}

Result<model::Image> Images::find_launchable(catalog::Transaction& tx, const Caller& caller,
                                             const model::ImageId& id) {
    TRY_ASSIGN(const auto image, find_here(tx, caller, id));
    if (!image) {
        return errors::images_not_found({id.str()});
    }
    if (!may_use(*image, caller)) {
        return not_authorized(id);  // ERR-2
    }
    TRY(model::next(image->state, model::ImageEvent::launch, id));
    return *image;
}

Result<model::Image> find_own_image(catalog::Transaction& tx, const Caller& caller,
                                    const model::ImageId& id) {
    TRY_ASSIGN(const auto image, find_here(tx, caller, id));
    if (!image) {
        return errors::images_not_found({id.str()});
    }
    TRY(model::next(image->state, model::ImageEvent::use_attribute, id));
    if (image->owner_id != caller.account) {
        return not_authorized_for_image(id);
    }
    return *image;
}

Result<Page<ImageView>> Images::describe(const Caller& caller, const DescribeImagesInput& input) {
    TRY_ASSIGN(const ImageSearch search, ImageSearch::create(caller, input, clock_.now()));
    return store_.read([&](catalog::Transaction& tx) { return search.run(tx); });
}

}  // namespace kiln::control
