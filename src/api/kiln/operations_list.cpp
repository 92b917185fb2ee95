// SPDX-License-Identifier: Apache-2.0
#include "api/kiln/operations_list.h"

#include <nlohmann/json.hpp>

#include "api/ec2/filter_names.h"
#include "api/generated/operations.h"

namespace kiln::api {
namespace {

using nlohmann::json;

json parameters_of(const OperationInfo& operation) {
    json list = json::array();
    for (const MemberInfo& member : operation.request->members) {
        list.push_back({{"name", member.name}, {"required", member.required}});
    }
    return list;
}

}  // namespace

std::string list_operations(const Registry& registry) {
    json list = json::array();
    for (const ServiceInfo* service : services()) {
        for (const OperationInfo& operation : service->operations) {
            const bool built = registry.handles(operation);
            json& entry = list.emplace_back(json{{"service", service->name},
                                                 {"operation", operation.name},
                                                 {"tier", operation.tier},
                                                 {"group", operation.group},
                                                 {"built", built}});
            if (built) {
                entry["parameters"] = parameters_of(operation);
                entry["filters"] = filter_names(operation.name);
            }
        }
    }
    return json{{"operations", list}}.dump();
}

}  // namespace kiln::api
