// SPDX-License-Identifier: Apache-2.0
// InstanceNetworks: the network of an instance for as long as its machine runs: its public address
// (D20), the process that carries its frames, and the sockets on which that process reaches the
// metadata service and the API. What the rows say (groups, options, addresses) is made true here.
//
// Order: service sockets, process, machine; and the other way round at the end. After a restart of
// the service adopt() takes the process over before its machine is.
//
// Thread-safe, blocking.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "compute/network/guest_network.h"
#include "compute/network/public_addresses.h"
#include "control/parts.h"
#include "model/instance.h"
#include "model/network.h"
#include "util/mutex.h"

namespace kiln::control {

// Where a service for one instance alone listens: metadata, the API.
class GuestSockets {
  public:
    virtual ~GuestSockets() = default;
    // Serves the instance on a socket at `path`, whose file `user` gets if one is named. An
    // instance that is open is opened anew.
    virtual Status open(const model::InstanceId& instance, const std::string& path,
                        std::optional<std::uint32_t> user) = 0;
    // The socket file goes, connections end. No error when it is not open.
    virtual void close(const model::InstanceId& instance) = 0;
};

class InstanceNetworks {
  public:
    InstanceNetworks(const Parts& parts, compute::GuestNetworks& networks, GuestSockets& metadata,
                     GuestSockets& api, compute::PublicAddresses& addresses)
        : parts_(parts),
          networks_(networks),
          metadata_(metadata),
          api_(api),
          addresses_(addresses) {}

    // Before the machine starts: gives the instance a public address if it is to have one, and
    // starts its network. The NIC to start the machine with; nothing for an instance without an
    // interface, from before there were networks. May be repeated.
    Result<std::optional<compute::NicSpec>> start(const model::InstanceId& id, Deadline deadline);
    // The machine is gone.
    Status stop(const model::InstanceId& id, Deadline deadline);
    // The instance has given up its public address, and the catalog knows it.
    void give_back(const std::string& public_ip);
    // After a restart, for an instance whose machine may live. Its rules are brought up to date.
    Status adopt(const model::Instance& instance, Deadline deadline);

    // Rules, groups or metadata options changed; who is a member of a group is told with them: in
    // force when these return. What could not be told to a process is logged; it reads its
    // configuration when it starts again.
    void group_changed(const model::SecurityGroupId& group);
    void instance_changed(const model::InstanceId& id);

    // What instances are reached at from outside, with the driver `tun`.
    std::optional<compute::Cidr> public_pool() const { return addresses_.pool(); }
    // not_found while the instance has no network.
    Result<compute::GuestNetworkStatus> status(const model::InstanceId& id, Deadline deadline);
    // Where clients on this host reach a TCP port; nothing when no rule opens it to them.
    Result<std::optional<compute::PortForward>> forward_of(const model::Instance& instance,
                                                           std::uint16_t port, Deadline deadline);

  private:
    struct Place {  // what the rows say of where an interface is
        model::Subnet subnet;
        model::Vpc vpc;
    };
    using Neighbourhoods = std::map<model::VpcId, std::map<model::InstanceId, compute::Neighbour>>;
    Result<model::Instance> give_public_address(const model::InstanceId& id);
    Result<compute::GuestNetworkSpec> spec_of(const model::Instance& instance);
    Result<compute::GuestNetworkRules> rules_of(const model::Instance& instance);
    Status open_services(const compute::GuestNetworkSpec& spec);
    Status start_network(const compute::GuestNetworkSpec& spec, Deadline deadline);
    Result<compute::Neighbour> neighbour_of(const model::Instance& instance) const;
    // The instance, when there is one, whatever became of telling its process.
    std::optional<model::Instance> tell_rules(const model::InstanceId& id) REQUIRES(telling_);
    void tell_neighbours(const model::VpcId& vpc) REQUIRES(telling_);
    Result<std::vector<compute::Neighbour>> neighbours_in(const model::VpcId& vpc)
        REQUIRES(telling_);
    Result<Neighbourhoods> read_neighbourhoods() REQUIRES(telling_);
    void know(const model::Instance& instance) REQUIRES(telling_);
    void forget(const model::Instance& instance) REQUIRES(telling_);
    void tell_of_vpc(const model::VpcId& vpc) EXCLUDES(telling_);
    void leave_neighbours(const model::InstanceId& id) EXCLUDES(telling_);
    std::string neighbours_file(const model::VpcId& vpc) const;
    std::string directory(const model::InstanceId& id) const;
    std::string runtime_directory(const model::InstanceId& id) const;

    const Parts parts_;
    compute::GuestNetworks& networks_;
    GuestSockets& metadata_;
    GuestSockets& api_;
    compute::PublicAddresses& addresses_;
    // Held from reading rules to having told them, so that older ones never come last.
    Mutex telling_;
    // Whose network has ended while their rows still say that there is a machine, and some more.
    std::set<model::InstanceId> ended_ GUARDED_BY(telling_);
    // All that have a network, as far as it has been read: otherwise each launch would read as many
    // rows as there are instances.
    std::optional<Neighbourhoods> neighbourhoods_ GUARDED_BY(telling_);
};

}  // namespace kiln::control
