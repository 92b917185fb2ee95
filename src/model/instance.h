// SPDX-License-Identifier: Apache-2.0
// Instance: a virtual machine (sections 27 to 31), with the facts of the reservation it was
// launched in (INS-5).
//
// Most fields are fixed at launch (INS-4). The devices it has now are the volumes attached to it
// (model/volume.h); `launch_mappings` is what it was launched with, instance store devices included
// (CI-8). Thread model: plain values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/block_device.h"
#include "model/ids.h"
#include "model/machine.h"
#include "model/names.h"
#include "model/role.h"
#include "model/transition.h"
#include "util/bytes.h"
#include "util/time.h"

namespace kiln::model {

enum class InstanceState { pending, running, shutting_down, terminated, stopping, stopped };
constexpr auto enum_names(InstanceState) {
    return std::to_array<EnumName<InstanceState>>({{InstanceState::pending, "pending"},
                                                   {InstanceState::running, "running"},
                                                   {InstanceState::shutting_down, "shutting-down"},
                                                   {InstanceState::terminated, "terminated"},
                                                   {InstanceState::stopping, "stopping"},
                                                   {InstanceState::stopped, "stopped"}});
}
// In which an instance has, or may have, a machine.
const std::vector<InstanceState>& states_with_machine();
// INS-1
constexpr int state_code(InstanceState state) {
    switch (state) {
        case InstanceState::pending:
            return 0;
        case InstanceState::running:
            return 16;
        case InstanceState::shutting_down:
            return 32;
        case InstanceState::terminated:
            return 48;
        case InstanceState::stopping:
            return 64;
        case InstanceState::stopped:
            return 80;
    }
    return 0;
}

enum class InstanceEvent {
    // asked for
    start,
    stop,
    reboot,
    terminate,
    create_image,    // CI-2; changes nothing
    attach_volume,   // VOL-4; changes nothing
    modify_stopped,  // STP-4: an attribute that may change only while stopped; changes nothing
    // happened
    started,          // the machine runs
    launch_failed,    // RUN-5: the first start
    start_failed,     // a later start
    guest_stop,       // SHD-1: the guest powered off, behaviour `stop`
    guest_terminate,  // SHD-1: the guest powered off, behaviour `terminate`
    powered_off,      // the machine is gone
};
constexpr auto enum_names(InstanceEvent) {
    return std::to_array<EnumName<InstanceEvent>>(
        {{InstanceEvent::start, "start"},
         {InstanceEvent::stop, "stop"},
         {InstanceEvent::reboot, "reboot"},
         {InstanceEvent::terminate, "terminate"},
         {InstanceEvent::create_image, "create-image"},
         {InstanceEvent::attach_volume, "attach-volume"},
         {InstanceEvent::modify_stopped, "modify-stopped"},
         {InstanceEvent::started, "started"},
         {InstanceEvent::launch_failed, "launch-failed"},
         {InstanceEvent::start_failed, "start-failed"},
         {InstanceEvent::guest_stop, "guest-stop"},
         {InstanceEvent::guest_terminate, "guest-terminate"},
         {InstanceEvent::powered_off, "powered-off"}});
}

enum class ShutdownBehavior { stop, terminate };
constexpr auto enum_names(ShutdownBehavior) {
    return std::to_array<EnumName<ShutdownBehavior>>(
        {{ShutdownBehavior::stop, "stop"}, {ShutdownBehavior::terminate, "terminate"}});
}

// How an instance's disks are served to its machine (BDM-19): fixed at launch, since a guest's
// devices stay what they are.
enum class DiskTransport { nbd, vhost_user };
constexpr auto enum_names(DiskTransport) {
    return std::to_array<EnumName<DiskTransport>>(
        {{DiskTransport::nbd, "nbd"}, {DiskTransport::vhost_user, "vhost-user"}});
}

// CRD-1: what a burstable instance was launched with.
enum class CpuCredits { standard, unlimited };
constexpr auto enum_names(CpuCredits) {
    return std::to_array<EnumName<CpuCredits>>(
        {{CpuCredits::standard, "standard"}, {CpuCredits::unlimited, "unlimited"}});
}

// RUN-16: of which reservations an instance takes its capacity.
enum class CapacityPreference { open, none };
constexpr auto enum_names(CapacityPreference) {
    return std::to_array<EnumName<CapacityPreference>>(
        {{CapacityPreference::open, "open"}, {CapacityPreference::none, "none"}});
}

// IMDS-4
struct MetadataOptions {
    bool tokens_required = false;  // httpTokens required | optional
    std::uint32_t hop_limit = 1;
    bool endpoint_enabled = true;
    bool ipv6_enabled = false;
    bool instance_tags_enabled = false;
    friend bool operator==(const MetadataOptions&, const MetadataOptions&) = default;
};

struct Instance {
    InstanceId id;
    ReservationId reservation_id;
    AccountId owner_id;
    std::string region;
    std::string availability_zone;
    std::string outpost_arn;  // REG-6: of its subnet
    std::uint32_t launch_index = 0;
    std::string client_token;
    InstanceState state = InstanceState::pending;
    std::optional<StateReason> state_reason;
    std::string state_transition_reason;
    UnixMillis created;
    UnixMillis launched;                   // launchTime: renewed at every start
    std::optional<UnixMillis> terminated;  // TRM-4: it stays visible for an hour after

    ImageId image_id;
    std::string instance_type;
    Architecture architecture = Architecture::x86_64;
    VirtualizationType virtualization_type = VirtualizationType::hvm;
    std::string platform;  // "windows" or empty
    std::string platform_details;
    std::string usage_operation;
    std::string root_device_name;
    RootDeviceType root_device_type = RootDeviceType::ebs;
    BlockDeviceMappings launch_mappings;
    ImageId kernel_id;
    ImageId ramdisk_id;
    bool ena_support = false;
    bool sriov_net_simple = false;
    bool ebs_optimized = false;
    std::optional<BootMode> boot_mode;                   // of the image
    BootMode current_boot_mode = BootMode::legacy_bios;  // BM-1: legacy_bios or uefi
    bool tpm_v2 = false;
    DiskTransport disk_transport = DiskTransport::nbd;
    std::vector<ProductCode> product_codes;

    std::string key_name;
    std::string public_key;  // of that pair, copied at launch: "ssh-rsa AAAA..." (KP-8)
    std::optional<InstanceProfileRef> profile;
    std::optional<ProfileAssociation> profile_association;  // none: made with the instance
    Bytes user_data;
    MetadataOptions metadata_options;
    ShutdownBehavior shutdown_behavior = ShutdownBehavior::stop;
    bool disable_api_termination = false;
    bool disable_api_stop = false;
    bool detailed_monitoring = false;                                   // MON-1
    std::optional<CpuCredits> cpu_credits;                              // none: what its type has
    CapacityPreference capacity_preference = CapacityPreference::open;  // RUN-16
    bool forced_off = false;  // STP-1: somebody would not wait for the guest

    VpcId vpc_id;
    SubnetId subnet_id;
    NetworkInterfaceId network_interface_id;
    std::vector<SecurityGroupId> security_groups;
    std::string mac;            // 02:xx:..., lower case
    std::string private_ip;     // empty once terminated: the address is free again
    std::string public_ip;      // empty while not running
    bool no_public_ip = false;  // settled at launch, by the request or else by the subnet
    std::string interface_description;
    bool source_dest_check = true;
    friend bool operator==(const Instance&, const Instance&) = default;
};

using InstanceTransition = Transition<InstanceState, InstanceEvent>;
std::span<const InstanceTransition> instance_transitions();
Result<InstanceState> next(InstanceState state, InstanceEvent event, const InstanceId& id);

}  // namespace kiln::model
