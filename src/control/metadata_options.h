// SPDX-License-Identifier: Apache-2.0
// The metadata options of an instance (IMDS-4, IMDS-11): what a request may say, what it results
// in, and changing them later. Thread model: plain values and pure functions;
// modify_metadata_options() blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "model/image.h"
#include "model/instance.h"
#include "model/region_settings.h"
#include "model/tag.h"

namespace kiln::control {

// What is absent stays as it is, or gets its default at launch.
struct MetadataOptionsInput {
    std::optional<bool> tokens_required;
    std::optional<std::int64_t> hop_limit;
    std::optional<bool> endpoint_enabled;
    std::optional<bool> ipv6_enabled;
    std::optional<bool> instance_tags_enabled;
    friend bool operator==(const MetadataOptionsInput&, const MetadataOptionsInput&) = default;
};

inline constexpr std::int64_t kMaxHopLimit = 64;
Status check_metadata_options(const MetadataOptionsInput& input);
// IMDS-4: request, then the account's defaults for the region, then image, then the system's
// defaults. UnsupportedOperation where the account insists on tokens and they would be optional.
Result<model::MetadataOptions> launch_metadata_options(const MetadataOptionsInput& input,
                                                       const model::MetadataDefaults& account,
                                                       const model::Image& image);
// IMDS-11: every key of an instance whose metadata shows its tags. To be called wherever such an
// instance gets tags.
Status check_metadata_tags(const std::vector<model::Tag>& tags);

struct ModifyMetadataOptionsInput {
    model::InstanceId id;
    MetadataOptionsInput options;
    bool dry_run = false;
};
// The options as they are now. They hold from the next request to the metadata service on.
Result<model::MetadataOptions> modify_metadata_options(catalog::Store& store, const Caller& caller,
                                                       const ModifyMetadataOptionsInput& input);

}  // namespace kiln::control
