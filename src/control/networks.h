// SPDX-License-Identifier: Apache-2.0
// Networks: describing VPCs, subnets and network interfaces, and what of them an account is told
// as its attributes (NET-1 .. NET-8). Thread-safe, blocking.
#pragma once

#include <string>
#include <vector>

#include "control/caller.h"
#include "control/filter.h"
#include "control/instance_views.h"
#include "control/pagination.h"
#include "control/parts.h"
#include "model/network.h"

namespace kiln::control {

struct VpcView {
    model::Vpc vpc;
    std::vector<model::Tag> tags;
};

struct SubnetView {
    model::Subnet subnet;
    std::uint32_t available_addresses = 0;  // NET-3
    std::vector<model::Tag> tags;
};

// The one interface of an instance that is not terminated (NET-6).
struct InterfaceView {
    InstanceView owner;
    std::vector<model::Tag> tags;
};

struct DescribeVpcsInput {
    std::vector<model::VpcId> ids;
    std::vector<Filter> filters;
    PageRequest page;
};
struct DescribeSubnetsInput {
    std::vector<model::SubnetId> ids;
    std::vector<Filter> filters;
    PageRequest page;
};
struct DescribeInterfacesInput {
    std::vector<model::NetworkInterfaceId> ids;
    std::vector<Filter> filters;
    PageRequest page;
};

struct AccountAttribute {
    std::string name;
    std::vector<std::string> values;
};

class Networks {
  public:
    explicit Networks(const Parts& parts) : parts_(parts) {}

    Result<Page<VpcView>> describe_vpcs(const Caller& caller, const DescribeVpcsInput& input);
    Result<Page<SubnetView>> describe_subnets(const Caller& caller,
                                              const DescribeSubnetsInput& input);
    Result<Page<InterfaceView>> describe_interfaces(const Caller& caller,
                                                    const DescribeInterfacesInput& input);
    // InvalidVpcID.NotFound.
    Result<model::Vpc> find_vpc(const Caller& caller, const model::VpcId& id);
    // NET-8; without names: all.
    Result<std::vector<AccountAttribute>> account_attributes(const Caller& caller,
                                                             const std::vector<std::string>& names);

  private:
    const Parts parts_;
};

const FilterTable<VpcView>& vpc_filters();
const FilterTable<SubnetView>& subnet_filters();
const FilterTable<InterfaceView>& interface_filters();

// Of the caller, in its region: InvalidVpcID.NotFound, InvalidSubnetID.NotFound.
Result<model::Vpc> find_own_vpc(catalog::Transaction& tx, const Caller& caller,
                                const model::VpcId& id);
Result<model::Subnet> find_own_subnet(catalog::Transaction& tx, const Caller& caller,
                                      const model::SubnetId& id);

// How many addresses instances may have in a subnet, in all.
std::uint32_t usable_addresses(const model::Subnet& subnet);

}  // namespace kiln::control
