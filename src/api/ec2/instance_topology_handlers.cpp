// SPDX-License-Identifier: Apache-2.0
// DescribeInstanceTopology (INS-8).
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/paging.h"
#include "api/generated/ec2/describe_instance_topology.h"
#include "control/api_errors.h"
#include "control/instance_topology.h"

namespace kiln::api {
namespace {

using namespace ec2;

Result<DescribeInstanceTopologyResult> describe(const Services& services, const Context& context,
                                                const DescribeInstanceTopologyRequest& request) {
    control::DescribeTopologyInput input;
    for (const std::string& id : request.instance_ids) {
        TRY_ASSIGN(input.ids.emplace_back(), model::parse_instance_id(id));
    }
    input.groups = request.group_names.items();
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(const auto page, services.instance_topologies.describe(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeInstanceTopologyResult result;
    result.instances.give();
    for (const control::InstanceTopologyView& view : page.items) {
        InstanceTopology& out = result.instances.emplace_back();
        out.instance_id = view.instance.id.str();
        out.instance_type = view.instance.instance_type;
        out.group_name = "";
        for (const std::string& node : view.nodes) {
            out.network_nodes.push_back(node);
        }
        out.availability_zone = view.instance.availability_zone;
        out.zone_id = view.zone_id;
    }
    set_token(result.next_token, page.next_token);
    return result;
}

}  // namespace

void add_instance_topology_handlers(Registry& registry, Services services) {
    registry.add<ops::DescribeInstanceTopology>(
        [services](Context& context, const DescribeInstanceTopologyRequest& request) {
            return describe(services, context, request);
        });
}

}  // namespace kiln::api
