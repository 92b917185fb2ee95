// SPDX-License-Identifier: Apache-2.0
// GuestNetworks without processes, for API tests and `--hypervisor=fake`: networks are entries in a
// FakeNetworkHost, which outlives the object as real processes do. Every port can be bound as
// itself unless the test says otherwise. Nothing listens.
// Thread-safe.
#pragma once

#include <map>
#include <set>

#include "compute/network/guest_network.h"
#include "util/mutex.h"

namespace kiln::compute {

class FakeNetworkHost {
  public:
    // The process ends and is started again.
    Status crash(const MachineId& id) EXCLUDES(mutex_);
    // What the instance's network was last told. not_found.
    Result<GuestNetworkSpec> spec_of(const MachineId& id) EXCLUDES(mutex_);
    // Who was last written at `path`; nobody when nothing was.
    std::vector<Neighbour> neighbours_at(const std::string& path) EXCLUDES(mutex_);
    // The next start fails with this error.
    void fail_next_start(Error error) EXCLUDES(mutex_);

  private:
    friend class FakeGuestNetworks;
    struct Network {
        GuestNetworkSpec spec;
        std::uint64_t restarts = 0;
    };
    Mutex mutex_;
    std::map<MachineId, Network> networks_ GUARDED_BY(mutex_);
    std::map<std::string, std::vector<Neighbour>> neighbours_ GUARDED_BY(mutex_);
    std::optional<Error> next_start_error_ GUARDED_BY(mutex_);
};

// `host` outlives it.
std::unique_ptr<GuestNetworks> make_fake_guest_networks(FakeNetworkHost& host);

}  // namespace kiln::compute
