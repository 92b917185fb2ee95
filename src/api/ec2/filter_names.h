// SPDX-License-Identifier: Apache-2.0
// Which filters an operation takes: the tables that the requests themselves are checked against,
// for `kiln operations` and docs/operations.md. Thread model: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln::api {

// Sorted, without those for tags; empty when the operation has no filters.
std::vector<std::string> filter_names(std::string_view operation);

// Of DescribeRegions and DescribeAvailabilityZones, whose tables stand with their handlers.
std::vector<std::string> region_filter_names();
std::vector<std::string> zone_filter_names();

}  // namespace kiln::api
