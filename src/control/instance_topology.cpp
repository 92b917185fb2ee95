// SPDX-License-Identifier: Apache-2.0
#include "control/instance_topology.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/instances.h"
#include "crypto/hash.h"
#include "util/bytes.h"

namespace kiln::control {
namespace {

using View = InstanceTopologyView;
using Values = std::vector<std::string>;

constexpr PageLimits kLimits{1, 100};
constexpr std::int64_t kDefaultPage = 20;
constexpr std::size_t kMostNames = 100;
constexpr std::size_t kNodeDigits = 17;

catalog::Cursor cursor_of(const View& view) {
    return {view.instance.created, view.instance.id.str()};
}

// Two instances have the same node where they have the same name for it. Nodes tell an account
// nothing of others: they follow from names that everybody knows.
std::string node(std::string_view what) {
    return "nn-" + crypto::sha256_hex(as_bytes(what)).substr(0, kNodeDigits);
}

std::array<std::string, 3> nodes_of(const model::Instance& instance) {
    const std::string zone = instance.region + "/" + instance.availability_zone;
    return {node(instance.region), node(zone), node(zone + "/host")};
}

Status check_request(const DescribeTopologyInput& input) {
    TRY(instance_topology_filters().check(input.filters));
    if (!input.ids.empty() && input.page.max_results) {  // PAG-4
        return errors::invalid_parameter_combination(
            "The parameter instancesSet cannot be used with the parameter maxResults");
    }
    if (std::max(input.ids.size(), input.groups.size()) > kMostNames) {
        return errors::invalid_parameter_value(
            fmt::format("At most {} instances or placement groups may be named.", kMostNames));
    }
    if (!input.groups.empty()) {
        return Error::api(
            Code::not_found, "InvalidPlacementGroup.Unknown",
            fmt::format("The Placement Group '{}' is unknown.", input.groups.front()));
    }
    return ok();
}

}  // namespace

const FilterTable<View>& instance_topology_filters() {
    static const FilterTable<View> table(
        [](const View& view) -> const std::vector<model::Tag>& { return view.tags; },
        {{"availability-zone",
          [](const View& view) { return Values{view.instance.availability_zone}; }},
         {"instance-type", [](const View& view) { return Values{view.instance.instance_type}; }},
         {"zone-id", [](const View& view) { return Values{view.zone_id}; }}});
    return table;
}

Result<Page<View>> InstanceTopologies::describe(const Caller& caller,
                                                const DescribeTopologyInput& input) {
    TRY(check_request(input));
    PageRequest request = input.page;
    if (input.ids.empty()) {
        request.max_results = request.max_results.value_or(kDefaultPage);
    }
    TRY_ASSIGN(const PageStart start, open_page(caller, request, kLimits));
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Page<View>> {
        const auto shown =
            [&](std::vector<model::Instance> instances) -> Result<std::vector<View>> {
            TRY_ASSIGN(auto loaded, load_views(tx, parts_.topology, caller, std::move(instances)));
            std::vector<View> views;
            for (InstanceView& from : loaded) {
                if (from.instance.state != model::InstanceState::running) {
                    continue;
                }
                auto nodes = nodes_of(from.instance);
                View view{std::move(from.instance), std::move(from.zone_id), std::move(from.tags),
                          std::move(nodes)};
                if (instance_topology_filters().matches(input.filters, view)) {
                    views.push_back(std::move(view));
                }
            }
            return views;
        };
        std::vector<View> views;
        if (input.ids.empty()) {
            const auto list = [&](const PageStart& piece) {
                catalog::InstanceQuery query;
                query.region = caller.region;
                query.owners = {caller.account};
                query.states = {model::InstanceState::running};
                query.page.after = piece.after;
                query.page.limit = piece.limit.value_or(0);
                return tx.instances().list(query);
            };
            const auto place = [](const model::Instance& instance) {
                return catalog::Cursor{instance.created, instance.id.str()};
            };
            TRY_ASSIGN(views, read_page<View>(start, !input.filters.empty(), list, place, shown));
        } else {
            TRY_ASSIGN(auto instances, find_instances(tx, caller, input.ids));
            TRY_ASSIGN(views, shown(std::move(instances)));
        }
        return cut_page(caller, request, start, std::move(views), cursor_of);
    });
}

}  // namespace kiln::control
