// SPDX-License-Identifier: Apache-2.0
// Between the generated shapes of EC2's network records and the values of model and control.
// Thread model: pure functions.
#pragma once

#include <string>
#include <vector>

#include "api/generated/ec2/describe_network_interfaces.h"
#include "api/generated/ec2/describe_security_groups.h"
#include "api/generated/ec2/describe_subnets.h"
#include "api/generated/ec2/describe_vpcs.h"
#include "api/generated/ec2/ip_permission.h"
#include "api/generated/ec2/reservation.h"
#include "api/generated/ec2/revoked_security_group_rule.h"
#include "api/generated/ec2/run_instances.h"
#include "api/generated/ec2/security_group_rule.h"
#include "control/instances.h"
#include "control/networks.h"
#include "control/security_groups.h"
#include "util/result.h"

namespace kiln::api::ec2 {

// What DescribeInstances shows of an instance's interface and groups.
void fill_network(const control::InstanceView& view, Instance& to);
// SubnetId, SecurityGroupId, SecurityGroup, PrivateIpAddress, or the one NetworkInterface that says
// the same.
Status take_network(const RunInstancesRequest& request, control::RunInstancesInput& input);

Vpc from_vpc(const control::VpcView& view);
Subnet from_subnet(const control::SubnetView& view);
NetworkInterface from_interface(const control::InterfaceView& view);

Result<std::vector<control::Permission>> to_permissions(const List<IpPermission>& list);
List<IpPermission> from_permissions(const std::vector<control::Permission>& permissions);
SecurityGroup from_group(const control::SecurityGroupView& view);
SecurityGroupRule from_rule(const control::RuleView& view);
RevokedSecurityGroupRule from_revoked(const control::RuleView& view);

// Well-formed ids of one kind.
template <class Id, class Parse>
Result<std::vector<Id>> to_ids(const List<std::string>& list, Parse parse) {
    std::vector<Id> ids;
    for (const std::string& text : list) {
        TRY_ASSIGN(ids.emplace_back(), parse(text));
    }
    return ids;
}

}  // namespace kiln::api::ec2
