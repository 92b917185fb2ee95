// SPDX-License-Identifier: Apache-2.0
// Image: a machine image (section 8) and its states (section 9).
//
// The content is immutable: nothing changes the mapping, architecture, root device, boot mode,
// virtualization, TPM, kernel or ramdisk of an image once it is made (IMG-1). An image names
// snapshots, it does not own them (IMG-2). A deregistered image stays as a tombstone for ever
// (DR-4, DR-5); its name is free again (IMGN-2). Thread model: plain values and pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/block_device.h"
#include "model/fast_launch.h"
#include "model/ids.h"
#include "model/machine.h"
#include "model/names.h"
#include "model/sharing.h"
#include "model/transition.h"
#include "util/time.h"

namespace kiln::model {

enum class ImageState {
    pending,
    available,
    invalid,
    deregistered,
    transient,  // IMS-1: this one and `error` exist in the API and are never entered
    failed,
    error,
    disabled,
};
constexpr auto enum_names(ImageState) {
    return std::to_array<EnumName<ImageState>>({{ImageState::pending, "pending"},
                                                {ImageState::available, "available"},
                                                {ImageState::invalid, "invalid"},
                                                {ImageState::deregistered, "deregistered"},
                                                {ImageState::transient, "transient"},
                                                {ImageState::failed, "failed"},
                                                {ImageState::error, "error"},
                                                {ImageState::disabled, "disabled"}});
}

enum class ImageEvent {
    snapshots_completed,  // IMS-6: every snapshot of a pending image is completed
    creation_failed,      // IMS-4
    found_invalid,        // parts of an instance store image are not what its manifest says
    launch,               // IMS-2; changes nothing
    use_attribute,        // look at an attribute, protect from deregistration; changes nothing
    modify,               // IMS-3, DR-8: permissions, description, deprecation; changes nothing
    disable,              // DR-8
    enable,               // DR-9
    deregister,           // DR-1
};
constexpr auto enum_names(ImageEvent) {
    return std::to_array<EnumName<ImageEvent>>(
        {{ImageEvent::snapshots_completed, "snapshots-completed"},
         {ImageEvent::creation_failed, "creation-failed"},
         {ImageEvent::found_invalid, "found-invalid"},
         {ImageEvent::launch, "launch"},
         {ImageEvent::use_attribute, "use-attribute"},
         {ImageEvent::modify, "modify"},
         {ImageEvent::disable, "disable"},
         {ImageEvent::enable, "enable"},
         {ImageEvent::deregister, "deregister"}});
}

enum class ImageType { machine, kernel, ramdisk };
constexpr auto enum_names(ImageType) {
    return std::to_array<EnumName<ImageType>>({{ImageType::machine, "machine"},
                                               {ImageType::kernel, "kernel"},
                                               {ImageType::ramdisk, "ramdisk"}});
}

// DR-7.
enum class DeregistrationProtection { disabled, without_cooldown, with_cooldown };
constexpr auto enum_names(DeregistrationProtection) {
    return std::to_array<EnumName<DeregistrationProtection>>(
        {{DeregistrationProtection::disabled, "disabled"},
         {DeregistrationProtection::without_cooldown, "enabled-without-cooldown"},
         {DeregistrationProtection::with_cooldown, "enabled-with-cooldown"}});
}

// ITS-1: patterns of the names of instance types, in which `*` stands for any text. Without
// supported ones, every type is that is not unsupported.
struct InstanceTypeSpecification {
    std::vector<std::string> supported;
    std::vector<std::string> unsupported;
    friend bool operator==(const InstanceTypeSpecification&,
                           const InstanceTypeSpecification&) = default;
};

struct Image {
    ImageId id;
    AccountId owner_id;
    std::string region;
    std::string name;
    std::string description;
    std::string location;
    ImageState state = ImageState::pending;
    std::optional<StateReason> state_reason;
    std::string owner_alias;
    Sharing launch_permissions;

    Architecture architecture = Architecture::i386;  // RI-4: the old defaults are kept
    ImageType type = ImageType::machine;
    VirtualizationType virtualization_type = VirtualizationType::paravirtual;
    std::string platform;  // "windows" or empty
    std::string platform_details;
    std::string usage_operation;
    std::string root_device_name;
    RootDeviceType root_device_type = RootDeviceType::ebs;
    BlockDeviceMappings block_device_mappings;
    ImageId kernel_id;
    ImageId ramdisk_id;
    bool ena_support = false;
    bool sriov_net_simple = false;  // sriovNetSupport "simple"
    std::optional<BootMode> boot_mode;
    bool tpm_v2 = false;    // tpmSupport "v2.0"
    bool imds_v2 = false;   // imdsSupport "v2.0"
    std::string uefi_data;  // Base64 as given
    std::vector<ProductCode> product_codes;
    InstanceTypeSpecification instance_types;  // its owner may change it

    UnixMillis created;
    std::optional<UnixMillis> last_launched;
    std::optional<UnixMillis> deprecation_time;  // TIME-2: a whole minute
    DeregistrationProtection deregistration_protection = DeregistrationProtection::disabled;
    std::optional<UnixMillis> cooldown_until;  // DR-7: protected so long, though disabled
    InstanceId source_instance_id;
    ImageId source_image_id;
    std::string source_image_region;
    std::string public_parameter;  // PAR-1: the SSM parameter that offers it; the provider's alone
    std::vector<FastLaunch> fast_launches{};
    friend bool operator==(const Image&, const Image&) = default;
};

using ImageTransition = Transition<ImageState, ImageEvent>;
std::span<const ImageTransition> image_transitions();
Result<ImageState> next(ImageState state, ImageEvent event, const ImageId& id);

}  // namespace kiln::model
