// SPDX-License-Identifier: Apache-2.0
// What the block API answers when it refuses (ED-2): the exception and, after a colon, its reason.
// Thread model: pure functions.
#pragma once

#include <string>

#include "model/ids.h"
#include "util/error.h"

namespace kiln::control::ebs_errors {

// ValidationException; `reason` is one of ED-2.
Error invalid(std::string_view reason, std::string message);
Error invalid_parameter(std::string message);
Error snapshot_not_found(const model::SnapshotId& id);
// Of a snapshot that is there, and in a state in which this cannot be done to it.
Error wrong_state(std::string message);
// What the use cases all services share said of a snapshot, in this API's words; an error that is
// not the client's stays as it is.
Error of_snapshot(Error error, const model::SnapshotId& id);

}  // namespace kiln::control::ebs_errors
