// SPDX-License-Identifier: Apache-2.0
#include "api/ebs/convert.h"

#include "control/ebs_errors.h"

namespace kiln::api {

Result<model::SnapshotId> to_snapshot_id(const std::string& text) {
    auto id = model::parse_snapshot_id(text);
    if (!id) {
        return control::ebs_errors::invalid(
            "INVALID_SNAPSHOT_ID", "The snapshot's id is not valid. Expected: 'snap-...'.");
    }
    return id;
}

}  // namespace kiln::api
