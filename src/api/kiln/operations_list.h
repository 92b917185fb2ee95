// SPDX-License-Identifier: Apache-2.0
// What /kiln/v1/operations answers: every operation of the models, whether it is built, and the
// parameters and filters that a built one takes. Made from the tables that requests are read by, so
// that it cannot say anything else. Thread model: pure functions.
#pragma once

#include <string>

#include "api/codec/registry.h"

namespace kiln::api {

std::string list_operations(const Registry& registry);  // JSON

}  // namespace kiln::api
