// SPDX-License-Identifier: Apache-2.0
// NetworkChanges: making, changing and deleting VPCs and subnets (NET-14 .. NET-17 of
// docs/semantics/vpc.md). Each is one transaction: a refused one changes nothing. Thread-safe,
// blocking.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/instance_networks.h"
#include "control/networks.h"
#include "control/parts.h"
#include "control/tagging.h"
#include "model/cidr.h"
#include "model/network.h"

namespace kiln::control {

inline constexpr std::size_t kMaxVpcsPerRegion = 5;    // NET-14: EC2's default quotas
inline constexpr std::size_t kMaxSubnetsPerVpc = 200;  // NET-16

struct CreateVpcInput {
    std::string cidr;
    std::vector<TagSpecification> tags;
    bool dry_run = false;
};

// One of them.
struct VpcChange {
    std::optional<bool> dns_support;
    std::optional<bool> dns_hostnames;
};

struct CreateSubnetInput {
    model::VpcId vpc;
    std::string cidr;
    std::string zone;     // name or empty
    std::string zone_id;  // or empty; not both
    std::string outpost_arn;
    std::vector<TagSpecification> tags;
    bool dry_run = false;
};

class NetworkChanges {
  public:
    // `networks` says which addresses are the host's to give.
    NetworkChanges(const Parts& parts, const InstanceNetworks& networks)
        : parts_(parts), networks_(networks) {}

    Result<VpcView> create_vpc(const Caller& caller, const CreateVpcInput& input);
    // NET-15: DefaultVpcAlreadyExists unless it was deleted.
    Result<VpcView> create_default_vpc(const Caller& caller, bool dry_run);
    Status delete_vpc(const Caller& caller, const model::VpcId& id, bool dry_run);
    Status modify_vpc(const Caller& caller, const model::VpcId& id, const VpcChange& change);

    Result<SubnetView> create_subnet(const Caller& caller, const CreateSubnetInput& input);
    Status delete_subnet(const Caller& caller, const model::SubnetId& id, bool dry_run);
    Status modify_subnet(const Caller& caller, const model::SubnetId& id,
                         std::optional<bool> map_public_ip);

  private:
    Result<model::Ipv4Cidr> vpc_range(const std::string& text) const;

    const Parts parts_;
    const InstanceNetworks& networks_;
};

}  // namespace kiln::control
