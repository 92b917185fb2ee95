// SPDX-License-Identifier: Apache-2.0
#include "control/network_names.h"

#include <fmt/format.h>

namespace kiln::control {

std::string arn(std::string_view region, const model::AccountId& owner, std::string_view type,
                std::string_view id) {
    return fmt::format("arn:aws:ec2:{}:{}:{}/{}", region, owner.str(), type, id);
}

std::string derived_id(std::string_view prefix, std::string_view id) {
    return fmt::format("{}{}", prefix, id.substr(std::min(id.find('-'), id.size())));
}

}  // namespace kiln::control
