// SPDX-License-Identifier: Apache-2.0
#include "compute/network/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "compute/console.h"
#include "compute/qemu/record.h"
#include "compute/qemu/unix_socket.h"
#include "compute/qemu/users.h"
#include "util/strings.h"

namespace kiln::compute {
namespace {

// A longer one is begun anew at the next start; the process itself can write 8 MiB at most.
constexpr off_t kMaxOldLogBytes = 1 << 20;

std::string log_path(const std::string& directory) {
    return directory + "/network.log";
}

Result<UniqueFd> open_log(const std::string& directory) {
    const std::string path = log_path(directory);
    UniqueFd log(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    struct stat info {};
    if (!log || ::fstat(log.get(), &info) != 0 ||
        (info.st_size > kMaxOldLogBytes && ::ftruncate(log.get(), 0) != 0)) {
        return Error::from_errno(errno, "open " + path);
    }
    return log;
}

std::vector<std::string> network_args(const GuestNetworkSpec& spec,
                                      const NetworkLaunchFacts& facts) {
    return {facts.program,  "guest-network",
            "--config",     guest_network_config_path(spec.runtime_directory),
            "--control-fd", std::to_string(kFirstChildFd)};
}

}  // namespace

std::optional<uid_t> network_user(const MachineId& id, const NetworkLaunchFacts& facts) {
    return facts.separate_users ? std::optional(instance_uid(id)) : std::nullopt;
}

Status write_guest_network_config(const GuestNetworkSpec& spec, const NetworkLaunchFacts& facts) {
    GuestNetworkConfig config;
    config.spec = spec;
    config.user = network_user(spec.id, facts);
    if (spec.rules.public_address) {
        config.forwards = ports_to_forward(spec.rules.ingress, host_addresses());
    }
    const std::string path = guest_network_config_path(spec.runtime_directory);
    TRY(write_file_atomic(path, encode_guest_network_config(config), 0640));
    // Readable by the process for `reload`, never writable: it is where its user comes from.
    if (config.user && ::chown(path.c_str(), static_cast<uid_t>(-1), *config.user) != 0) {
        return Error::from_errno(errno, "chown " + path);
    }
    return ok();
}

Result<GuestNetworkSpec> read_guest_network_spec(const std::string& runtime_directory) {
    const std::string path = guest_network_config_path(runtime_directory);
    TRY_ASSIGN(const std::string text, read_file(path, kMaxGuestNetworkConfigBytes));
    TRY_ASSIGN(auto config, decode_guest_network_config(text), path);
    return std::move(config.spec);
}

Status grant_service_sockets(const GuestNetworkSpec& spec, const NetworkLaunchFacts& facts) {
    for (const std::string& path : {spec.metadata_socket, spec.api_socket}) {
        if (path.empty()) {
            continue;
        }
        struct stat info {};
        if (::stat(path.c_str(), &info) != 0) {
            return Error::from_errno(errno, "service socket " + path);
        }
        if (!S_ISSOCK(info.st_mode)) {
            return Error(Code::invalid_argument, path + " is no socket");
        }
        const auto user = network_user(spec.id, facts);
        if (user && ::chown(path.c_str(), *user, static_cast<gid_t>(-1)) != 0) {
            return Error::from_errno(errno, "give " + path + " to the network process's user");
        }
    }
    return ok();
}

Result<NetworkProcess> launch_network(const GuestNetworkSpec& spec, const NetworkLaunchFacts& facts,
                                      Deadline deadline) {
    TRY_ASSIGN(const UniqueFd log, open_log(spec.directory));
    SpawnRequest request;
    request.program = facts.program;
    request.args = network_args(spec, facts);
    request.log = log.get();
    // Not request.user: the process changes its user itself, keeping the right to low ports, when
    // it has opened its tunnel.
    request.keeps_capabilities = true;
    NetworkRecord record;
    record.id = spec.id;
    record.argv_hash = hash_argv(request.args);
    record.runtime_directory = spec.runtime_directory;

    // Ours is closed when this returns: from then on a dead process means a refused connection.
    TRY_ASSIGN(const UniqueFd control,
               listen_unix(guest_network_control_path(spec.runtime_directory)));
    request.descriptors = {control.get()};
    TRY_ASSIGN(HeldProcess held, HeldProcess::spawn(request));
    record.process = held.identity();
    TRY(write_network_record(spec.directory, record));
    NetworkProcess process;
    process.pid = record.process.pid;
    const auto released = held.release(deadline);
    process.pidfd = std::make_shared<const UniqueFd>(held.take_pidfd());
    if (!released) {
        (void)end_network(process, deadline);
        return released.error();
    }
    return process;
}

Result<std::optional<NetworkProcess>> find_network(const NetworkRecord& record, Deadline deadline) {
    TRY_ASSIGN(auto pidfd, open_process(record.process));
    if (!pidfd) {
        return std::optional<NetworkProcess>();
    }
    NetworkProcess process;
    process.pid = record.process.pid;
    process.pidfd = std::make_shared<const UniqueFd>(std::move(*pidfd));
    const auto text = command_line(process.pid);
    if (!text || hash_argv_text(*text) != record.argv_hash) {
        TRY(end_network(process, deadline));
        return std::optional<NetworkProcess>();
    }
    return std::optional<NetworkProcess>(std::move(process));
}

Status end_network(const NetworkProcess& process, Deadline deadline) {
    TRY(signal_process(*process.pidfd, SIGKILL));
    if (!wait_for_exit(*process.pidfd, deadline)) {
        return Error(Code::deadline_exceeded, "the network process does not end");
    }
    reap(*process.pidfd);
    return ok();
}

Status forget_network(const std::string& directory, const std::string& runtime_directory) {
    TRY(remove_file(guest_network_control_path(runtime_directory)));
    TRY(remove_file(guest_network_peer_path(runtime_directory)));
    TRY(remove_file(guest_network_config_path(runtime_directory)));
    // Last: as long as it is there, all of this can be repeated.
    return remove_network_record(directory);
}

std::string network_last_words(const std::string& directory) {
    const auto log = read_console(log_path(directory));
    if (!log) {
        return {};
    }
    const std::string_view text = trim(log->bytes);
    const auto line = text.rfind('\n');
    return std::string(line == std::string_view::npos ? text : text.substr(line + 1));
}

}  // namespace kiln::compute
