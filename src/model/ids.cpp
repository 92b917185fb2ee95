// SPDX-License-Identifier: Apache-2.0
#include "model/ids.h"

#include "util/encoding.h"

namespace kiln::model {

namespace {

constexpr std::size_t kHexDigits = 17;
constexpr std::size_t kOldHexDigits = 8;
constexpr std::size_t kAccountDigits = 12;

bool is_lower_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

std::string text_of(std::string_view part) {
    return std::string(part);
}

// The two kinds whose code has no ".Malformed" of its own in common use (ID-4).
Error invalid_value(std::string_view id, std::string_view parameter, std::string_view prefix) {
    return Error::api(Code::invalid_argument, "InvalidParameterValue",
                      "Value (" + text_of(id) + ") for parameter " + text_of(parameter) +
                          " is invalid. Expected: '" + text_of(prefix) + "-...'.");
}

Error malformed(std::string_view code, std::string_view id) {
    return Error::api(Code::invalid_argument, text_of(code), "Invalid id: \"" + text_of(id) + "\"");
}

// `prefix` and what `random` gives in whole characters.
std::string base32(std::string_view prefix, std::span<const std::uint8_t> random) {
    static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    std::string id(prefix);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const std::uint8_t byte : random) {
        bits = bits << 8 | byte;
        count += 8;
        while (count >= 5) {
            count -= 5;
            id += kAlphabet[bits >> count & 31U];
        }
    }
    return id;
}

template <class Id>
Result<Id> parse_expecting(std::string_view text, std::string_view code) {
    const std::string_view prefix = detail::TagOf<Id>::kPrefix;
    if (!is_well_formed_id(prefix, text)) {
        return Error::api(
            Code::invalid_argument, text_of(code),
            "Invalid id: \"" + text_of(text) + "\" (expecting \"" + text_of(prefix) + "-...\")");
    }
    return Id(text_of(text));
}

}  // namespace

std::string make_id_text(std::string_view prefix, IdRandom random) {
    std::string id = text_of(prefix) + "-" + hex_encode(random);
    id.resize(prefix.size() + 1 + kHexDigits);
    return id;
}

bool is_well_formed_id(std::string_view prefix, std::string_view text) {
    if (!text.starts_with(prefix) || text.size() <= prefix.size() || text[prefix.size()] != '-') {
        return false;
    }
    const std::string_view digits = text.substr(prefix.size() + 1);
    return (digits.size() == kHexDigits || digits.size() == kOldHexDigits) &&
           std::all_of(digits.begin(), digits.end(), is_lower_hex);
}

bool is_well_formed_account(std::string_view text) {
    return text.size() == kAccountDigits &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<ImageId> parse_image_id(std::string_view text) {
    for (const std::string_view prefix : {"ami", "aki", "ari"}) {
        if (is_well_formed_id(prefix, text)) {
            return ImageId(text_of(text));
        }
    }
    return malformed("InvalidAMIID.Malformed", text);
}

Result<InstanceId> parse_instance_id(std::string_view text) {
    if (!is_well_formed_id(InstanceIdTag::kPrefix, text)) {
        return malformed("InvalidInstanceID.Malformed", text);
    }
    return InstanceId(text_of(text));
}

Result<VolumeId> parse_volume_id(std::string_view text) {
    if (!is_well_formed_id(VolumeIdTag::kPrefix, text)) {
        return invalid_value(text, "volumeId", VolumeIdTag::kPrefix);
    }
    return VolumeId(text_of(text));
}

Result<SnapshotId> parse_snapshot_id(std::string_view text) {
    if (!is_well_formed_id(SnapshotIdTag::kPrefix, text)) {
        return invalid_value(text, "snapshotId", SnapshotIdTag::kPrefix);
    }
    return SnapshotId(text_of(text));
}

Result<KeyPairId> parse_key_pair_id(std::string_view text) {
    if (!is_well_formed_id(KeyPairIdTag::kPrefix, text)) {
        return invalid_value(text, "keyPairId", KeyPairIdTag::kPrefix);
    }
    return KeyPairId(text_of(text));
}

Result<VpcId> parse_vpc_id(std::string_view text) {
    return parse_expecting<VpcId>(text, "InvalidVpcID.Malformed");
}

Result<SubnetId> parse_subnet_id(std::string_view text) {
    return parse_expecting<SubnetId>(text, "InvalidSubnetID.Malformed");
}

Result<NetworkInterfaceId> parse_network_interface_id(std::string_view text) {
    return parse_expecting<NetworkInterfaceId>(text, "InvalidNetworkInterfaceId.Malformed");
}

Result<SecurityGroupId> parse_security_group_id(std::string_view text) {
    return parse_expecting<SecurityGroupId>(text, "InvalidGroupId.Malformed");
}

Result<SecurityGroupRuleId> parse_security_group_rule_id(std::string_view text) {
    return parse_expecting<SecurityGroupRuleId>(text, "InvalidSecurityGroupRuleId.Malformed");
}

Result<LaunchTemplateId> parse_launch_template_id(std::string_view text) {
    return parse_expecting<LaunchTemplateId>(text, "InvalidLaunchTemplateId.Malformed");
}

Result<ReplaceRootTaskId> parse_replace_root_task_id(std::string_view text) {
    return parse_expecting<ReplaceRootTaskId>(text, "InvalidReplaceRootVolumeTaskId.Malformed");
}

Result<ProfileAssociationId> parse_profile_association_id(std::string_view text) {
    return parse_expecting<ProfileAssociationId>(text, "InvalidAssociationID.Malformed");
}

Result<ImageUsageReportId> parse_image_usage_report_id(std::string_view text) {
    return parse_expecting<ImageUsageReportId>(text, "InvalidImageUsageReportId.Malformed");
}

Result<AccountId> parse_account_id(std::string_view text) {
    if (!is_well_formed_account(text)) {
        return Error::api(Code::invalid_argument, "InvalidUserID.Malformed",
                          "Invalid user id: \"" + text_of(text) + "\"");
    }
    return AccountId(text_of(text));
}

AccountId make_account_id(std::uint64_t number) {
    std::string digits = std::to_string(number % 1'000'000'000'000ULL);
    digits.insert(0, kAccountDigits - digits.size(), '0');
    return AccountId(std::move(digits));
}

AccessKeyId make_access_key_id(std::span<const std::uint8_t, 10> random) {
    return AccessKeyId(base32("AKIA", random));
}

AccessKeyId make_session_key_id(std::span<const std::uint8_t, 10> random) {
    return AccessKeyId(base32("ASIA", random));
}

RoleId make_role_id(std::span<const std::uint8_t, kIdentityRandomBytes> random) {
    return RoleId(base32("AROA", random));
}

InstanceProfileId make_instance_profile_id(
    std::span<const std::uint8_t, kIdentityRandomBytes> random) {
    return InstanceProfileId(base32("AIPA", random));
}

UserId make_user_id(std::span<const std::uint8_t, kIdentityRandomBytes> random) {
    return UserId(base32("AIDA", random));
}

std::string make_secret_key(std::span<const std::uint8_t, 30> random) {
    return base64_encode(random);
}

}  // namespace kiln::model
