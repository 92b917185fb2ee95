// SPDX-License-Identifier: Apache-2.0
#include "api/kiln/operations_list.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/ec2/filter_names.h"
#include "api/generated/operations.h"

namespace kiln::api {
namespace {

bool has_filters(const OperationInfo& operation) {
    const auto& members = operation.request->members;
    return std::any_of(members.begin(), members.end(),
                       [](const MemberInfo& member) { return member.name == "Filters"; });
}

TEST_CASE("whatever is built and takes filters says which, and nothing else does") {
    int with_filters = 0;
    for (const OperationInfo& operation : kEc2Service.operations) {
        CAPTURE(operation.name);
        const bool takes = operation.built() && has_filters(operation);
        CHECK(!filter_names(operation.name).empty() == takes);
        with_filters += takes ? 1 : 0;
    }
    CHECK(with_filters >= 19);
    CHECK(filter_names("RunInstances").empty());
}

TEST_CASE("what no handler is registered for is listed as not built, without parameters") {
    const auto document = nlohmann::json::parse(list_operations(Registry()));
    CHECK(document["operations"].size() > 800);
    for (const auto& operation : document["operations"]) {
        CHECK_FALSE(operation["built"].get<bool>());
        CHECK_FALSE(operation.contains("parameters"));
    }
}

}  // namespace
}  // namespace kiln::api
