// SPDX-License-Identifier: Apache-2.0
// ImageUsageReport: what other accounts made of an image, counted when its owner asked (AN-3).
// Thread model: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/ids.h"
#include "model/image.h"
#include "model/names.h"
#include "util/time.h"

namespace kiln::model {

enum class UsageReportState { pending, available, error };
constexpr auto enum_names(UsageReportState) {
    return std::to_array<EnumName<UsageReportState>>({{UsageReportState::pending, "pending"},
                                                      {UsageReportState::available, "available"},
                                                      {UsageReportState::error, "error"}});
}

// What is counted: "ec2:Instance" or "ec2:LaunchTemplate".
struct UsageResourceType {
    std::string name;
    std::optional<std::int32_t> version_depth;  // of templates
    friend bool operator==(const UsageResourceType&, const UsageResourceType&) = default;
};

struct UsageEntry {
    std::string resource_type;
    AccountId account;
    std::int64_t count = 0;
    friend bool operator==(const UsageEntry&, const UsageEntry&) = default;
};

struct ImageUsageReport {
    ImageUsageReportId id;
    AccountId owner_id;
    std::string region;
    ImageId image_id;
    std::vector<UsageResourceType> resource_types;
    std::vector<AccountId> accounts;  // only these; empty: all
    UsageReportState state = UsageReportState::available;
    std::string state_reason;  // of an error
    UnixMillis created;
    UnixMillis expires;
    std::vector<UsageEntry> entries;
    friend bool operator==(const ImageUsageReport&, const ImageUsageReport&) = default;
};

}  // namespace kiln::model
