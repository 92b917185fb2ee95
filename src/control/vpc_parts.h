// SPDX-License-Identifier: Apache-2.0
// VpcParts: what every VPC has from its making to its end without asking for it (NET-18): a main
// route table, a network ACL and a set of DHCP options; the default VPC also an internet gateway.
// They have no rows: they follow from the VPC, and their ids from its id. They say what is so, and
// cannot be changed. Tags they may have. Thread-safe, blocking.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/filter.h"
#include "control/pagination.h"
#include "control/parts.h"
#include "model/network.h"

namespace kiln::control {

enum class VpcPart { internet_gateway, route_table, network_acl, dhcp_options };

struct VpcPartView {
    std::string id;  // "rtb-..." with the digits of the VPC's
    model::Vpc vpc;
    std::vector<model::Subnet> subnets;  // of the VPC
    std::vector<model::Tag> tags;
};

struct Route {
    std::string destination;
    std::string gateway;  // "local" or the internet gateway
    std::string origin;
};

// One rule of the ACL every VPC has.
struct AclEntry {
    std::int32_t number;
    bool egress;
    bool allow;
};
inline constexpr std::int32_t kLastAclEntry = 32767;
inline constexpr char kAnywhere[] = "0.0.0.0/0";

struct DhcpOption {
    std::string key;
    std::string value;
};

struct DescribePartsInput {
    std::vector<std::string> ids;
    std::vector<Filter> filters;
    PageRequest page;
};

class VpcParts {
  public:
    explicit VpcParts(const Parts& parts) : parts_(parts) {}

    Result<Page<VpcPartView>> describe(const Caller& caller, VpcPart part,
                                       const DescribePartsInput& input);

  private:
    const Parts parts_;
};

// Main table: to the VPC itself, and from the default one to the internet.
std::vector<Route> routes_of(const model::Vpc& vpc);
const std::vector<AclEntry>& acl_entries();
std::vector<DhcpOption> dhcp_options_of(const model::Vpc& vpc);
std::string vpc_part_id(VpcPart part, const model::VpcId& vpc);

// For tags: which kind an id is of, whether it is well-formed, and whether the caller has it.
Status check_vpc_part_form(VpcPart part, const std::string& id);
Status find_vpc_part(catalog::Transaction& tx, const Caller& caller, VpcPart part,
                     const std::string& id);
// With the VPC go the tags of what it has.
Status erase_vpc_part_tags(catalog::Transaction& tx, const model::VpcId& vpc);

const FilterTable<VpcPartView>& internet_gateway_filters();
const FilterTable<VpcPartView>& route_table_filters();
const FilterTable<VpcPartView>& network_acl_filters();
const FilterTable<VpcPartView>& dhcp_options_filters();

}  // namespace kiln::control
