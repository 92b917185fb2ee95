// SPDX-License-Identifier: Apache-2.0
#include "api/codec/operation.h"

#include <algorithm>

#include "api/codec/text.h"

namespace kiln::api {
namespace {

bool is_date(std::string_view text) {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (i != 4 && i != 7 && (text[i] < '0' || text[i] > '9')) {
            return false;
        }
    }
    return true;
}

}  // namespace

const OperationInfo* find_operation(const ServiceInfo& service, std::string_view name) {
    const auto at = std::lower_bound(
        service.operations.begin(), service.operations.end(), name,
        [](const OperationInfo& row, std::string_view key) { return row.name < key; });
    return at != service.operations.end() && at->name == name ? &*at : nullptr;
}

Status check_version(const ServiceInfo& service, std::string_view version) {
    if (version.empty()) {
        return Error::api(Code::invalid_argument, "MissingParameter",
                          "The request must contain the parameter Version");
    }
    if (!is_date(version) || version > service.api_version) {
        return Error::api(Code::invalid_argument, "NoSuchVersion",
                          "The requested version (" + std::string(shortened(version, 64)) +
                              ") of service " + std::string(service.name) + " does not exist");
    }
    return ok();
}

}  // namespace kiln::api
