// SPDX-License-Identifier: Apache-2.0
// The values of a decoded request by the names of its members, whatever operation it is of: what
// policies look at. Thread model: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/codec/descriptor.h"
#include "control/tagging.h"

namespace kiln::api {

// The texts at a place ("BlockDeviceMappings.Ebs.SnapshotId"), of all items where a list is on the
// way; numbers and booleans as text. Absent and empty ones are left out.
std::vector<std::string> request_values(const StructInfo& info, const void* request,
                                        std::string_view place);
// Whether there is such a place.
bool has_place(const StructInfo& info, std::string_view place);

// TagSpecifications; or Tags, with an empty type.
std::vector<control::TagSpecification> request_tags(const StructInfo& info, const void* request);

}  // namespace kiln::api
