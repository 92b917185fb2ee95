// SPDX-License-Identifier: Apache-2.0
// What the catalog and a copy of it are asked for a backup. Thread model: functions over a store;
// nobody else uses the copy.
#pragma once

#include <set>

#include "catalog/store.h"
#include "model/content.h"

namespace kiln::control {

// The layers whose files a store is not whole without.
Result<std::set<model::LayerId>> sealed_layers(catalog::Store& store);

// Active layers become `planned`, since their files are not in a backup. `conflict` while a cut is
// under way, which is over soon.
Status settle_copy(catalog::Store& copy);

}  // namespace kiln::control
