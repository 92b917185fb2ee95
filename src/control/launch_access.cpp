// SPDX-License-Identifier: Apache-2.0
#include "control/launch_access.h"

#include <algorithm>

#include "control/authorization.h"
#include "control/resource_facts.h"
#include "control/resource_lookup.h"

namespace kiln::control {
namespace {

constexpr char kAction[] = "ec2:RunInstances";

// What is there already.
std::vector<ResourceName> names_of(const RunInstancesInput& input, const LaunchNetwork& network) {
    std::vector<ResourceName> names{{"image", input.image_id.str()},
                                    {"subnet", network.subnet.id.str()}};
    for (const model::SecurityGroupId& group : network.groups) {
        names.push_back({"security-group", group.str()});
    }
    if (!input.key_name.empty()) {
        names.push_back({"key-pair", input.key_name});
    }
    if (!input.launch_template.id.empty()) {
        names.push_back({"launch-template", input.launch_template.id.str()});
    }
    for (const model::BlockDeviceMapping& mapping : input.block_device_mappings) {
        if (mapping.ebs && !mapping.ebs->snapshot_id.empty()) {
            names.push_back({"snapshot", mapping.ebs->snapshot_id.str()});
        }
    }
    return names;
}

}  // namespace

Status authorize_launch(catalog::Transaction& tx, const Caller& caller,
                        const RunInstancesInput& input, model::Instance instance,
                        const std::vector<VolumePlan>& volumes, const LaunchNetwork& network) {
    if (!looks_at_resources(caller)) {
        return ok();  // the door has asked all there is to ask
    }
    std::vector<PolicyResource> resources;
    const LaunchTemplateUse& used = input.launch_template;
    const std::string template_arn =
        used.id.empty() ? std::string()
                        : bare_resource(caller, "launch-template", used.id.str()).arns.front();
    const auto add = [&](PolicyResource resource, std::string_view type) -> PolicyFacts& {
        const bool overridden = std::find(used.overridden.begin(), used.overridden.end(), type) !=
                                used.overridden.end();
        resources.push_back(std::move(resource));
        add_template(resources.back().facts, template_arn, !used.id.empty() && !overridden);
        return resources.back().facts;
    };
    for (const ResourceName& name : names_of(input, network)) {
        TRY_ASSIGN(auto resource, find_resource(tx, caller, name));
        add(std::move(resource), name.type);
    }
    const std::string& zone = network.subnet.availability_zone;
    instance.availability_zone = zone;
    instance.vpc_id = network.subnet.vpc_id;
    instance.subnet_id = network.subnet.id;
    instance.no_public_ip = network.no_public_ip;
    add_request_tags(add(resource_of(caller, instance), "instance"),
                     tags_for(input.tags, "instance"));
    add_request_tags(add(interface_of(caller, instance), "network-interface"),
                     tags_for(input.tags, "network-interface"));
    for (const VolumePlan& plan : volumes) {
        add(planned_volume(caller, plan, zone, tags_for(input.tags, "volume")), "volume");
    }
    return authorize(caller, kAction, resources);
}

}  // namespace kiln::control
