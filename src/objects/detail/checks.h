// SPDX-License-Identifier: Apache-2.0
// The checks every backend makes before it touches anything. Thread model: pure functions.
#pragma once

#include "objects/object_store.h"

namespace kiln::objects {

Status check_name(std::string_view name);
Status check_put(std::string_view name, const SharedBytes& content);
Status check_get(std::string_view name, std::uint64_t offset, std::uint64_t length);
Error no_object(std::string_view name);

}  // namespace kiln::objects
