// SPDX-License-Identifier: Apache-2.0
#include "control/network_names.h"

#include <fmt/format.h>

namespace kiln::control {

std::string private_dns_name(std::string_view region, std::string_view address) {
    if (address.empty()) {
        return {};
    }
    std::string dashed(address);
    std::replace(dashed.begin(), dashed.end(), '.', '-');
    return region == "us-east-1" ? fmt::format("ip-{}.ec2.internal", dashed)
                                 : fmt::format("ip-{}.{}.compute.internal", dashed, region);
}

std::string arn(std::string_view region, const model::AccountId& owner, std::string_view type,
                std::string_view id) {
    return fmt::format("arn:aws:ec2:{}:{}:{}/{}", region, owner.str(), type, id);
}

std::string derived_id(std::string_view prefix, std::string_view id) {
    return fmt::format("{}{}", prefix, id.substr(std::min(id.find('-'), id.size())));
}

}  // namespace kiln::control
