// SPDX-License-Identifier: Apache-2.0
// Identifiers of everything the service names (ID-1 .. ID-4): a prefix, a hyphen and 17 lower-case
// hexadecimal digits. 8 digits are well-formed too, as ids from before 2018 had them.
//
// Each kind is a type of its own, so that a snapshot id cannot go where a volume id belongs. Ids
// are random (68 bits) and never issued twice; the caller brings the random bytes, because this
// library does no I/O. Thread model: plain values and pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "util/id.h"
#include "util/result.h"

namespace kiln::model {

struct ImageIdTag {
    static constexpr std::string_view kPrefix = "ami";
};
struct SnapshotIdTag {
    static constexpr std::string_view kPrefix = "snap";
};
struct VolumeIdTag {
    static constexpr std::string_view kPrefix = "vol";
};
struct InstanceIdTag {
    static constexpr std::string_view kPrefix = "i";
};
struct ReservationIdTag {
    static constexpr std::string_view kPrefix = "r";
};
struct NetworkInterfaceIdTag {
    static constexpr std::string_view kPrefix = "eni";
};
struct SubnetIdTag {
    static constexpr std::string_view kPrefix = "subnet";
};
struct VpcIdTag {
    static constexpr std::string_view kPrefix = "vpc";
};
struct SecurityGroupIdTag {
    static constexpr std::string_view kPrefix = "sg";
};
struct SecurityGroupRuleIdTag {
    static constexpr std::string_view kPrefix = "sgr";
};
struct KeyPairIdTag {
    static constexpr std::string_view kPrefix = "key";
};
struct LaunchTemplateIdTag {
    static constexpr std::string_view kPrefix = "lt";
};
struct ReplaceRootTaskIdTag {
    static constexpr std::string_view kPrefix = "replacevol";
};
struct ProfileAssociationIdTag {
    static constexpr std::string_view kPrefix = "iip-assoc";
};
struct VolumeEventIdTag {
    static constexpr std::string_view kPrefix = "evol";
};
// Not known to EC2: bytes (content), a file of them (layer), a cut over several volumes, a piece of
// durable work.
struct ContentIdTag {
    static constexpr std::string_view kPrefix = "content";
};
struct LayerIdTag {
    static constexpr std::string_view kPrefix = "layer";
};
struct SnapshotSetIdTag {
    static constexpr std::string_view kPrefix = "set";
};
struct JobIdTag {
    static constexpr std::string_view kPrefix = "job";
};
struct ImageUsageReportIdTag {
    static constexpr std::string_view kPrefix = "amiur";
};
// These have shapes of their own: 12 decimal digits; AKIA or ASIA and 16 letters and digits; AROA,
// AIPA or AIDA and 17.
struct AccountIdTag {};
struct AccessKeyIdTag {};
struct RoleIdTag {};
struct InstanceProfileIdTag {};
struct UserIdTag {};

using ImageId = StrongId<ImageIdTag>;
using SnapshotId = StrongId<SnapshotIdTag>;
using VolumeId = StrongId<VolumeIdTag>;
using InstanceId = StrongId<InstanceIdTag>;
using ReservationId = StrongId<ReservationIdTag>;
using NetworkInterfaceId = StrongId<NetworkInterfaceIdTag>;
using SubnetId = StrongId<SubnetIdTag>;
using VpcId = StrongId<VpcIdTag>;
using SecurityGroupId = StrongId<SecurityGroupIdTag>;
using SecurityGroupRuleId = StrongId<SecurityGroupRuleIdTag>;
using KeyPairId = StrongId<KeyPairIdTag>;
using LaunchTemplateId = StrongId<LaunchTemplateIdTag>;
using ReplaceRootTaskId = StrongId<ReplaceRootTaskIdTag>;
using ProfileAssociationId = StrongId<ProfileAssociationIdTag>;
using VolumeEventId = StrongId<VolumeEventIdTag>;
using ContentId = StrongId<ContentIdTag>;
using LayerId = StrongId<LayerIdTag>;
using SnapshotSetId = StrongId<SnapshotSetIdTag>;
using JobId = StrongId<JobIdTag>;
using AccountId = StrongId<AccountIdTag>;
using AccessKeyId = StrongId<AccessKeyIdTag>;
using RoleId = StrongId<RoleIdTag>;
using InstanceProfileId = StrongId<InstanceProfileIdTag>;
using UserId = StrongId<UserIdTag>;
using ImageUsageReportId = StrongId<ImageUsageReportIdTag>;

namespace detail {
template <class Id>
struct IdTraits;
template <class Tag>
struct IdTraits<StrongId<Tag>> {
    using tag = Tag;
};
template <class Id>
using TagOf = typename IdTraits<Id>::tag;
}  // namespace detail

inline constexpr std::size_t kIdRandomBytes = 9;  // 17 hex digits use 68 of these 72 bits
using IdRandom = std::span<const std::uint8_t, kIdRandomBytes>;

std::string make_id_text(std::string_view prefix, IdRandom random);

// `rng` is anything with fill(span of bytes): io::Rng in the service. make_id<ImageId>(rng)
template <class Id, class Rng>
Id make_id(Rng& rng) {
    std::array<std::uint8_t, kIdRandomBytes> random{};
    rng.fill(random);
    return Id(make_id_text(detail::TagOf<Id>::kPrefix, random));
}

// The prefix, a hyphen, and 8 or 17 lower-case hex digits; nothing else.
bool is_well_formed_id(std::string_view prefix, std::string_view text);
bool is_well_formed_account(std::string_view text);

// ID-4: the id, or the error that EC2 gives for a malformed one of this kind.
Result<ImageId> parse_image_id(std::string_view text);  // ami-, aki-, ari-
Result<InstanceId> parse_instance_id(std::string_view text);
Result<VolumeId> parse_volume_id(std::string_view text);
Result<SnapshotId> parse_snapshot_id(std::string_view text);
Result<VpcId> parse_vpc_id(std::string_view text);
Result<SubnetId> parse_subnet_id(std::string_view text);
Result<NetworkInterfaceId> parse_network_interface_id(std::string_view text);
Result<SecurityGroupId> parse_security_group_id(std::string_view text);
Result<SecurityGroupRuleId> parse_security_group_rule_id(std::string_view text);
Result<KeyPairId> parse_key_pair_id(std::string_view text);
Result<LaunchTemplateId> parse_launch_template_id(std::string_view text);
Result<ReplaceRootTaskId> parse_replace_root_task_id(std::string_view text);
Result<ProfileAssociationId> parse_profile_association_id(std::string_view text);
Result<ImageUsageReportId> parse_image_usage_report_id(std::string_view text);
// InvalidUserID.Malformed
Result<AccountId> parse_account_id(std::string_view text);

// "123456789012" from any number below 10^12, zero-padded.
AccountId make_account_id(std::uint64_t number);
// "AKIA" and 16 characters of A-Z, 2-7.
AccessKeyId make_access_key_id(std::span<const std::uint8_t, 10> random);
// The same with "ASIA": a key that is good for a time.
AccessKeyId make_session_key_id(std::span<const std::uint8_t, 10> random);
// "AROA", "AIPA" and "AIDA", and 17 such characters.
inline constexpr std::size_t kIdentityRandomBytes = 11;
RoleId make_role_id(std::span<const std::uint8_t, kIdentityRandomBytes> random);
InstanceProfileId make_instance_profile_id(
    std::span<const std::uint8_t, kIdentityRandomBytes> random);
UserId make_user_id(std::span<const std::uint8_t, kIdentityRandomBytes> random);
// 40 characters of the Base64 alphabet, as AWS secrets look.
std::string make_secret_key(std::span<const std::uint8_t, 30> random);

}  // namespace kiln::model
