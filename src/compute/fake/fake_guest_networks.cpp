// SPDX-License-Identifier: Apache-2.0
#include "compute/fake/fake_guest_networks.h"

#include "compute/network/config.h"
#include "compute/network/forwards.h"

namespace kiln::compute {
namespace {

Error unknown(const MachineId& id) {
    return Error(Code::not_found, "no network is known for " + id.str());
}

}  // namespace

class FakeGuestNetworks final : public GuestNetworks {
  public:
    explicit FakeGuestNetworks(FakeNetworkHost& host) : host_(host) {}

    Status start(const GuestNetworkSpec& spec, Deadline) override {
        TRY(check_guest_network(spec));
        MutexLock known_lock(mutex_);
        MutexLock lock(host_.mutex_);
        if (host_.next_start_error_) {
            Error error = *host_.next_start_error_;
            host_.next_start_error_.reset();
            return error;
        }
        const auto found = host_.networks_.find(spec.id);
        if (known_.count(spec.id) != 0 && found != host_.networks_.end()) {
            return found->second.spec == spec
                       ? ok()
                       : Error(Code::failed_precondition,
                               spec.id.str() + " has a network of another specification");
        }
        host_.networks_[spec.id] = {spec, 0};
        known_.insert(spec.id);
        return ok();
    }

    Status adopt(const MachineId& id, const std::string& directory, Deadline) override {
        MutexLock known_lock(mutex_);
        MutexLock lock(host_.mutex_);
        const auto found = host_.networks_.find(id);
        if (found == host_.networks_.end() || found->second.spec.directory != directory) {
            return unknown(id);
        }
        known_.insert(id);
        return ok();
    }

    Status update(const MachineId& id, const GuestNetworkRules& rules, Deadline) override {
        TRY(check_guest_network_rules(rules));
        MutexLock known_lock(mutex_);
        MutexLock lock(host_.mutex_);
        const auto found = host_.networks_.find(id);
        if (known_.count(id) == 0 || found == host_.networks_.end()) {
            return unknown(id);
        }
        found->second.spec.rules = rules;
        return ok();
    }

    Status set_neighbours(const std::string& path,
                          const std::vector<Neighbour>& neighbours) override {
        MutexLock lock(host_.mutex_);
        host_.neighbours_[path] = neighbours;
        return ok();
    }

    Status stop(const MachineId& id, const std::string&, Deadline) override {
        MutexLock known_lock(mutex_);
        MutexLock lock(host_.mutex_);
        host_.networks_.erase(id);
        known_.erase(id);
        return ok();
    }

    Result<GuestNetworkStatus> status(const MachineId& id, Deadline) override {
        MutexLock known_lock(mutex_);
        MutexLock lock(host_.mutex_);
        const auto found = host_.networks_.find(id);
        if (known_.count(id) == 0 || found == host_.networks_.end()) {
            return unknown(id);
        }
        GuestNetworkStatus status;
        status.connected = true;
        status.restarts = found->second.restarts;
        if (const auto& tunnel = found->second.spec.tunnel) {
            status.tunnel = {tunnel->address, "kiln0"};
        }
        const GuestNetworkRules& rules = found->second.spec.rules;
        if (rules.public_address) {
            for (const std::uint16_t port : ports_to_forward(rules.ingress, {})) {
                status.forwards.push_back({port, *rules.public_address, port, true});
            }
        }
        return status;
    }

    std::optional<uid_t> user_of(const MachineId&) const override { return std::nullopt; }

    std::vector<MachineId> networks() override {
        MutexLock lock(mutex_);
        return {known_.begin(), known_.end()};
    }

  private:
    FakeNetworkHost& host_;
    Mutex mutex_;  // taken before the host's
    std::set<MachineId> known_ GUARDED_BY(mutex_);
};

Status FakeNetworkHost::crash(const MachineId& id) {
    MutexLock lock(mutex_);
    const auto found = networks_.find(id);
    if (found == networks_.end()) {
        return unknown(id);
    }
    ++found->second.restarts;
    return ok();
}

Result<GuestNetworkSpec> FakeNetworkHost::spec_of(const MachineId& id) {
    MutexLock lock(mutex_);
    const auto found = networks_.find(id);
    return found == networks_.end() ? Result<GuestNetworkSpec>(unknown(id)) : found->second.spec;
}

std::vector<Neighbour> FakeNetworkHost::neighbours_at(const std::string& path) {
    MutexLock lock(mutex_);
    return neighbours_[path];
}

void FakeNetworkHost::fail_next_start(Error error) {
    MutexLock lock(mutex_);
    next_start_error_ = std::move(error);
}

std::unique_ptr<GuestNetworks> make_fake_guest_networks(FakeNetworkHost& host) {
    return std::make_unique<FakeGuestNetworks>(host);
}

}  // namespace kiln::compute
