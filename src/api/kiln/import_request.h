// SPDX-License-Identifier: Apache-2.0
// What the query of POST /kiln/v1/imports says.
#pragma once

#include <string_view>

#include "control/imports.h"
#include "util/result.h"

namespace kiln::api {

struct ImportRequest {
    control::ImportInput input;
    bool extents = false;  // the body is an extent stream (disk_stream.h), not the disk's bytes
};

// Refuses what it does not know by name.
Result<ImportRequest> parse_import(std::string_view query);

}  // namespace kiln::api
