// SPDX-License-Identifier: Apache-2.0
// Between the generated shapes of IAM and the values of control. Thread model: pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/generated/iam/instance_profile.h"
#include "control/instance_profiles.h"

namespace kiln::api::iam {

List<Tag> from_tags(const std::vector<model::Tag>& tags);
Role from_role(const model::Role& role);
InstanceProfile from_profile(const control::InstanceProfileView& view);
std::vector<model::Tag> to_model_tags(const List<Tag>& list);

control::IdentityPage to_page(const std::optional<std::string>& prefix,
                              const std::optional<std::string>& marker,
                              const Scalar<std::int32_t>& max_items);

// Empty where it is absent: then the use case says what is wrong.
inline std::string text(const std::optional<std::string>& value) {
    return value.value_or("");
}

// The end of a listing, which all of them have.
template <class Response>
void end_page(Response& response, const std::string& marker) {
    response.is_truncated = !marker.empty();
    if (!marker.empty()) {
        response.marker = marker;
    }
}

}  // namespace kiln::api::iam
