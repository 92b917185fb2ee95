// SPDX-License-Identifier: Apache-2.0
#include "control/ebs_errors.h"

#include <fmt/format.h>

namespace kiln::control::ebs_errors {

Error invalid(std::string_view reason, std::string message) {
    return Error::api(Code::invalid_argument, "ValidationException:" + std::string(reason),
                      std::move(message));
}

Error invalid_parameter(std::string message) {
    return invalid("INVALID_PARAMETER_VALUE", std::move(message));
}

Error snapshot_not_found(const model::SnapshotId& id) {
    return Error::api(Code::not_found, "ResourceNotFoundException:SNAPSHOT_NOT_FOUND",
                      fmt::format("The snapshot '{}' does not exist.", id.str()));
}

Error wrong_state(std::string message) {
    return invalid("INVALID_SNAPSHOT_ID", std::move(message));
}

Error of_snapshot(Error error, const model::SnapshotId& id) {
    if (error.api_code() == "InvalidSnapshot.NotFound") {
        return snapshot_not_found(id);
    }
    if (error.api_code() == "IncorrectState") {
        return wrong_state(error.message());
    }
    return error;
}

}  // namespace kiln::control::ebs_errors
