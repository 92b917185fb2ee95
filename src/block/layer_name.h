// SPDX-License-Identifier: Apache-2.0
// Whose a file of the layers' directory is (docs/formats/layer.md). Thread model: pure function.
#pragma once

#include <optional>
#include <string_view>

#include "block/ids.h"

namespace kiln::block {

// The layer that owns a file of this name; nothing for other files.
std::optional<LayerId> layer_of_file(std::string_view name);

}  // namespace kiln::block
