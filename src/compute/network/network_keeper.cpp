// SPDX-License-Identifier: Apache-2.0
#include "compute/network/network_keeper.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "compute/network/control_protocol.h"
#include "compute/network/neighbours.h"
#include "compute/qemu/users.h"
#include "util/log.h"
#include "util/own_program.h"

namespace kiln::compute {
namespace {

constexpr std::chrono::milliseconds kTick(250);
// A process that lived this long before it ended is started again at once.
constexpr std::chrono::seconds kStable(10);
constexpr std::chrono::milliseconds kFirstDelay(100);
constexpr std::chrono::milliseconds kLongestDelay(5000);
// For steps on the supervisor's thread: fork and execute, which take milliseconds.
constexpr std::chrono::seconds kRestartDeadline(5);

std::chrono::milliseconds restart_delay(unsigned failures) {
    if (failures == 0) {
        return {};
    }
    return std::min(kLongestDelay, kFirstDelay * (1 << std::min(failures - 1, 10U)));
}

Error unknown(const MachineId& id) {
    return Error(Code::not_found, "no network is known for " + id.str());
}

Error wrong_owner(const MachineId& id, const MachineId& recorded) {
    return Error(Code::data_loss,
                 "the network record names " + recorded.str() + " instead of " + id.str());
}

Status tell(const std::string& runtime_directory, NetworkCommand command, Deadline deadline) {
    TRY(ask_network(guest_network_control_path(runtime_directory), command, deadline));
    return ok();
}

}  // namespace

Status NetworkKeeper::begin() {
    TRY_ASSIGN(supervisor_, Supervisor::create(kTick, [this] { on_tick(); }));
    return ok();
}

// ---- the table ----

NetworkKeeper::NetworkPtr NetworkKeeper::find(const MachineId& id) {
    MutexLock lock(mutex_);
    const auto found = networks_.find(id);
    return found == networks_.end() ? nullptr : found->second;
}

NetworkKeeper::NetworkPtr NetworkKeeper::find_or_add(const MachineId& id) {
    MutexLock lock(mutex_);
    auto& network = networks_[id];
    if (!network) {
        network = std::make_shared<Network>();
    }
    return network;
}

void NetworkKeeper::drop(const MachineId& id, const NetworkPtr& network) {
    MutexLock lock(mutex_);
    const auto found = networks_.find(id);
    if (found != networks_.end() && found->second == network) {
        networks_.erase(found);
    }
}

std::vector<MachineId> NetworkKeeper::networks() {
    std::vector<std::pair<MachineId, NetworkPtr>> all;
    {
        MutexLock lock(mutex_);
        all.assign(networks_.begin(), networks_.end());
    }
    std::vector<MachineId> ids;
    for (const auto& [id, network] : all) {
        MutexLock lock(network->mutex);
        if (network->known) {
            ids.push_back(id);
        }
    }
    return ids;
}

std::optional<uid_t> NetworkKeeper::user_of(const MachineId& id) const {
    return network_user(id, facts_);
}

// ---- calls ----

Status NetworkKeeper::start(const GuestNetworkSpec& spec, Deadline deadline) {
    TRY(check_guest_network(spec));
    const NetworkPtr network = find_or_add(spec.id);
    MutexLock lock(network->mutex);
    if (network->known) {
        return network->spec == spec
                   ? ok()
                   : Error(Code::failed_precondition,
                           spec.id.str() + " has a network of another specification");
    }
    const Status begun = begin_network(network, spec, deadline);
    if (!begun) {
        drop(spec.id, network);
    }
    return begun;
}

Status NetworkKeeper::begin_network(const NetworkPtr& network, const GuestNetworkSpec& spec,
                                    Deadline deadline) {
    TRY(end_recorded(spec.id, spec.directory, deadline));
    TRY(make_directories(spec.directory, 0700));
    TRY(make_directories(spec.runtime_directory, 0711));
    TRY(grant_service_sockets(spec, facts_));
    TRY(write_guest_network_config(spec, facts_));
    network->spec = spec;
    Status begun = launch(network, deadline);
    if (begun) {
        begun = tell(spec.runtime_directory, NetworkCommand::status, deadline);
    }
    if (!begun) {
        // Nothing is left that adopt() could take for a network.
        if (network->process.pidfd) {
            (void)end_network(network->process, deadline);
            network->process = {};
        }
        (void)forget_network(spec.directory, spec.runtime_directory);
        return Error(begun.error()).with(network_last_words(spec.directory));
    }
    network->known = true;
    return ok();
}

Status NetworkKeeper::launch(const NetworkPtr& network, Deadline deadline) {
    TRY_ASSIGN(network->process, launch_network(network->spec, facts_, deadline));
    network->started = std::chrono::steady_clock::now();
    const Status watched = watch(network);
    if (!watched) {
        (void)end_network(network->process, deadline);
        network->process = {};
    }
    return watched;
}

Status NetworkKeeper::watch(const NetworkPtr& network) {
    const auto pidfd = network->process.pidfd;
    return supervisor_->watch(pidfd->get(), [this, network, pidfd] {
        on_exit(network, pidfd);
        return false;
    });
}

Status NetworkKeeper::adopt(const MachineId& id, const std::string& directory, Deadline deadline) {
    const NetworkPtr network = find_or_add(id);
    MutexLock lock(network->mutex);
    if (network->known) {
        // Its server may have made the socket anew.
        return grant_service_sockets(network->spec, facts_);
    }
    const Status adopted = adopt_recorded(network, id, directory, deadline);
    if (!adopted) {
        drop(id, network);
    }
    return adopted;
}

Status NetworkKeeper::adopt_recorded(const NetworkPtr& network, const MachineId& id,
                                     const std::string& directory, Deadline deadline) {
    TRY_ASSIGN(const auto record, read_network_record(directory));
    if (!record) {
        return unknown(id);
    }
    if (record->id != id) {
        return wrong_owner(id, record->id);
    }
    TRY_ASSIGN(network->spec, read_guest_network_spec(record->runtime_directory));
    if (network->spec.id != id || network->spec.directory != directory) {
        return wrong_owner(id, network->spec.id);
    }
    TRY(grant_service_sockets(network->spec, facts_));
    TRY_ASSIGN(auto process, find_network(*record, deadline));
    if (process) {
        network->process = std::move(*process);
        network->started = std::chrono::steady_clock::now();
        TRY(watch(network));
    } else {
        TRY(launch(network, deadline));
    }
    network->known = true;
    return ok();
}

Status NetworkKeeper::update(const MachineId& id, const GuestNetworkRules& rules,
                             Deadline deadline) {
    TRY(check_guest_network_rules(rules));
    const NetworkPtr network = find(id);
    if (!network) {
        return unknown(id);
    }
    std::string runtime_directory;
    {
        MutexLock lock(network->mutex);
        if (!network->known) {
            return unknown(id);
        }
        GuestNetworkSpec changed = network->spec;
        changed.rules = rules;
        TRY(write_guest_network_config(changed, facts_));
        network->spec = changed;
        runtime_directory = changed.runtime_directory;
    }
    return tell(runtime_directory, NetworkCommand::reload, deadline);
}

Status NetworkKeeper::set_neighbours(const std::string& path,
                                     const std::vector<Neighbour>& neighbours) {
    std::vector<Neighbour> known = neighbours;
    for (Neighbour& neighbour : known) {
        neighbour.user = user_of(neighbour.id);
    }
    return write_neighbours(path, known);
}

Status NetworkKeeper::stop(const MachineId& id, const std::string& directory, Deadline deadline) {
    const NetworkPtr network = find_or_add(id);
    MutexLock lock(network->mutex);
    network->known = false;
    Status ended = ok();
    if (network->process.pidfd) {
        ended = end_network(network->process, deadline);
    }
    if (ended) {
        network->process = {};
        ended = end_recorded(id, directory, deadline);
    }
    drop(id, network);
    return ended;
}

Status NetworkKeeper::end_recorded(const MachineId& id, const std::string& directory,
                                   Deadline deadline) {
    TRY_ASSIGN(const auto record, read_network_record(directory));
    if (!record) {
        return ok();
    }
    if (record->id != id) {
        return wrong_owner(id, record->id);
    }
    TRY_ASSIGN(const auto process, find_network(*record, deadline));
    if (process) {
        TRY(end_network(*process, deadline));
    }
    return forget_network(directory, record->runtime_directory);
}

Result<GuestNetworkStatus> NetworkKeeper::status(const MachineId& id, Deadline deadline) {
    const NetworkPtr network = find(id);
    if (!network) {
        return unknown(id);
    }
    GuestNetworkStatus own;
    std::string control;
    {
        MutexLock lock(network->mutex);
        if (!network->known) {
            return unknown(id);
        }
        own.pid = network->process.pid;
        own.restarts = network->restarts;
        control = guest_network_control_path(network->spec.runtime_directory);
    }
    TRY_ASSIGN(GuestNetworkStatus status, ask_network(control, NetworkCommand::status, deadline));
    status.pid = own.pid;
    status.restarts = own.restarts;
    return status;
}

// ---- on the supervisor thread ----

void NetworkKeeper::on_exit(const NetworkPtr& network,
                            const std::shared_ptr<const UniqueFd>& pidfd) {
    MutexLock lock(network->mutex);
    if (network->process.pidfd != pidfd) {
        return;  // ended by us
    }
    reap(*pidfd);
    network->process = {};
    if (!network->known) {
        return;
    }
    const auto now = std::chrono::steady_clock::now();
    network->failures = now - network->started > kStable ? 0 : network->failures + 1;
    network->next_attempt = now + restart_delay(network->failures);
    log_warn("network", "the network process of " + network->spec.id.str() +
                            " ended: " + network_last_words(network->spec.directory));
    restart_if_due(network);
}

void NetworkKeeper::restart_if_due(const NetworkPtr& network) {
    if (!network->known || network->process.pidfd ||
        std::chrono::steady_clock::now() < network->next_attempt) {
        return;
    }
    ++network->restarts;
    if (const auto launched = launch(network, Deadline::after(kRestartDeadline)); !launched) {
        network->process = {};
        ++network->failures;
        network->next_attempt = std::chrono::steady_clock::now() + kLongestDelay;
        log_error("network", "cannot start the network process of " + network->spec.id.str() +
                                 ": " + launched.error().to_string());
    }
}

void NetworkKeeper::on_tick() {
    std::vector<NetworkPtr> all;
    {
        MutexLock lock(mutex_);
        for (const auto& [id, network] : networks_) {
            all.push_back(network);
        }
    }
    for (const auto& network : all) {
        MutexLock lock(network->mutex);
        restart_if_due(network);
    }
}

Result<std::unique_ptr<GuestNetworks>> make_guest_networks(const GuestNetworkOptions& options) {
    NetworkLaunchFacts facts;
    facts.program = options.program;
    if (facts.program.empty()) {
        TRY_ASSIGN(facts.program, own_program());
    }
    facts.separate_users = choose_users(options.separate_users).separate;
    auto keeper = std::make_unique<NetworkKeeper>(std::move(facts));
    TRY(keeper->begin());
    return std::unique_ptr<GuestNetworks>(std::move(keeper));
}

}  // namespace kiln::compute
