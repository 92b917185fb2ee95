// SPDX-License-Identifier: Apache-2.0
// NetworkKeeper: the GuestNetworks of make_guest_networks(). A table of known networks, and a
// supervisor thread that watches their processes and starts them again when they end.
//
// Each network has a mutex that is held while its process is started or ended and its configuration
// written, I/O included: there must never be two processes for one NIC. That takes milliseconds;
// questions to a process, which may hang, are asked without it (but for start()'s, by which a
// process proves itself). Lock order: a network's, then the table's, then the supervisor's.
//
// Thread-safe.
#pragma once

#include <map>

#include "compute/network/launch.h"
#include "compute/qemu/supervisor.h"
#include "util/mutex.h"

namespace kiln::compute {

class NetworkKeeper final : public GuestNetworks {
  public:
    explicit NetworkKeeper(NetworkLaunchFacts facts) : facts_(std::move(facts)) {}
    // Once, before anything else.
    Status begin();

    Status start(const GuestNetworkSpec& spec, Deadline deadline) override;
    Status adopt(const MachineId& id, const std::string& directory, Deadline deadline) override;
    Status update(const MachineId& id, const GuestNetworkRules& rules, Deadline deadline) override;
    Status set_neighbours(const std::string& path,
                          const std::vector<Neighbour>& neighbours) override;
    Status stop(const MachineId& id, const std::string& directory, Deadline deadline) override;
    Result<GuestNetworkStatus> status(const MachineId& id, Deadline deadline) override;
    std::optional<uid_t> user_of(const MachineId& id) const override;
    std::vector<MachineId> networks() override EXCLUDES(mutex_);

  private:
    using Time = std::chrono::steady_clock::time_point;
    struct Network {
        Mutex mutex;
        // False before the first success and after stop(): whoever waited for the mutex meanwhile
        // finds that nothing is known.
        bool known GUARDED_BY(mutex) = false;
        GuestNetworkSpec spec GUARDED_BY(mutex);
        NetworkProcess process GUARDED_BY(mutex);  // no pidfd: it ended
        Time started GUARDED_BY(mutex){};
        Time next_attempt GUARDED_BY(mutex){};
        unsigned failures GUARDED_BY(mutex) = 0;  // ends in a row, each soon after its start
        std::uint64_t restarts GUARDED_BY(mutex) = 0;
    };
    using NetworkPtr = std::shared_ptr<Network>;

    NetworkPtr find(const MachineId& id) EXCLUDES(mutex_);
    NetworkPtr find_or_add(const MachineId& id) EXCLUDES(mutex_);
    void drop(const MachineId& id, const NetworkPtr& network) EXCLUDES(mutex_);

    Status begin_network(const NetworkPtr& network, const GuestNetworkSpec& spec, Deadline deadline)
        REQUIRES(network->mutex);
    Status launch(const NetworkPtr& network, Deadline deadline) REQUIRES(network->mutex);
    Status adopt_recorded(const NetworkPtr& network, const MachineId& id,
                          const std::string& directory, Deadline deadline) REQUIRES(network->mutex);
    Status watch(const NetworkPtr& network) REQUIRES(network->mutex);
    Status end_recorded(const MachineId& id, const std::string& directory, Deadline deadline);

    // On the supervisor thread.
    void on_exit(const NetworkPtr& network, const std::shared_ptr<const UniqueFd>& pidfd);
    void restart_if_due(const NetworkPtr& network) REQUIRES(network->mutex);
    void on_tick() EXCLUDES(mutex_);

    const NetworkLaunchFacts facts_;
    Mutex mutex_;
    std::map<MachineId, NetworkPtr> networks_ GUARDED_BY(mutex_);
    std::unique_ptr<Supervisor> supervisor_;  // last: its thread uses all of the above
};

}  // namespace kiln::compute
