// SPDX-License-Identifier: Apache-2.0
#include "compute/network/process.h"

#include <fcntl.h>
#include <signal.h>

#include "compute/network/control_server.h"
#include "compute/network/gateway.h"
#include "compute/network/privileges.h"
#include "compute/qemu/unix_socket.h"
#include "util/log.h"

namespace kiln::compute {
namespace {

Result<GuestNetworkConfig> read_config(const std::string& path) {
    TRY_ASSIGN(const std::string text, read_file(path, kMaxGuestNetworkConfigBytes));
    return decode_guest_network_config(text);
}

Result<UniqueFd> control_listener(const GuestNetworkConfig& config, int inherited) {
    if (inherited < 0) {
        return listen_unix(guest_network_control_path(config.spec.runtime_directory));
    }
    if (::fcntl(inherited, F_SETFD, FD_CLOEXEC) != 0) {
        return Error::from_errno(errno, "use the control descriptor");
    }
    return UniqueFd(inherited);
}

// Before the change of user: the directory is the daemon's.
Result<UniqueFd> peer_listener(const GuestNetworkConfig& config) {
    if (config.spec.neighbours_file.empty()) {
        return UniqueFd();
    }
    return listen_frames(guest_network_peer_path(config.spec.runtime_directory),
                         config.user ? 0666 : 0600);
}

Status serve(const std::string& config_path, int control_fd) {
    TRY_ASSIGN(const auto config, read_config(config_path), config_path);
    TRY_ASSIGN(UniqueFd listener, control_listener(config, control_fd));
    TRY_ASSIGN(UniqueFd peers, peer_listener(config));
    std::unique_ptr<Tunnel> tunnel;
    if (config.spec.tunnel) {
        TRY_ASSIGN(tunnel, Tunnel::open(*config.spec.tunnel));
    }
    TRY(give_up_privileges(config.user));
    TRY_ASSIGN(const auto gateway,
               GuestGateway::create(config, std::move(peers), std::move(tunnel)));

    bool stop = false;
    const auto reload = [&]() -> Status {
        TRY_ASSIGN(const auto changed, read_config(config_path));
        return gateway->apply(changed);
    };
    ControlServer control(std::move(listener), [&](Result<NetworkCommand> command) {
        if (!command) {
            return encode_answer(Status(command.error()));
        }
        switch (*command) {
            case NetworkCommand::status:
                return encode_answer(gateway->status());
            case NetworkCommand::reload:
                return encode_answer(reload());
            case NetworkCommand::stop:
                stop = true;
                return encode_answer(ok());
        }
        return std::string();
    });
    while (!stop) {
        TRY(gateway->run_once(control.prepare()));
        control.dispatch();
    }
    return ok();
}

}  // namespace

int run_guest_network(const std::string& config_path, int control_fd) {
    ::signal(SIGPIPE, SIG_IGN);
    const auto served = serve(config_path, control_fd);
    if (!served) {
        log_error("network", served.error().to_string());
        return 1;
    }
    return 0;
}

}  // namespace kiln::compute
