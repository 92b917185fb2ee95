// SPDX-License-Identifier: Apache-2.0
#include "cli/ssh_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include "cli/print.h"
#include "net/relay.h"
#include "util/fs.h"
#include "util/own_program.h"

namespace kiln::cli {
namespace {

// For the shell that ssh runs the proxy command with, and for ssh, which replaces %.
std::string proxy_word(const std::string& text) {
    std::string out = "'";
    for (const char c : text) {
        out += c == '\'' ? std::string("'\\''") : c == '%' ? std::string("%%") : std::string(1, c);
    }
    return out + "'";
}

std::string proxy_command(const ClientChoices& choices, const std::string& program) {
    std::string command = proxy_word(program) + " proxy";
    const std::pair<const char*, const std::string&> options[] = {
        {"--data", choices.data_directory},
        {"--endpoint-url", choices.endpoint_url},
        {"--profile", choices.profile},
        {"--region", choices.region},
        {"--ca-bundle", choices.ca_bundle}};
    for (const auto& [name, value] : options) {
        if (!value.empty()) {
            command += fmt::format(" {} {}", name, proxy_word(value));
        }
    }
    return command + " %h %p";
}

}  // namespace

std::vector<std::string> ssh_arguments(const ClientChoices& choices, const SshRequest& request,
                                       const std::string& program) {
    std::vector<std::string> arguments{"ssh"};
    for (const std::string& option : request.options) {  // ssh believes the first
        arguments.insert(arguments.end(), {"-o", option});
    }
    arguments.insert(
        arguments.end(),
        {"-o", "ProxyCommand=" + proxy_command(choices, program),
         // An instance id never names another machine later, so its first key may be believed.
         "-o", "StrictHostKeyChecking=accept-new", "-p", std::to_string(request.port)});
    if (!request.identity.empty()) {
        arguments.insert(arguments.end(), {"-o", "IdentitiesOnly=yes", "-i", request.identity});
    }
    arguments.insert(arguments.end(), {"--", request.destination});
    arguments.insert(arguments.end(), request.command.begin(), request.command.end());
    return arguments;
}

int run_ssh(const ClientChoices& choices, const SshRequest& request) {
    const auto program = own_program();
    if (!program) {
        return fail(program.error());
    }
    std::vector<std::string> arguments = ssh_arguments(choices, request, *program);
    std::vector<char*> argv;
    for (std::string& argument : arguments) {
        argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    ::execvp("ssh", argv.data());
    return fail(Error(Code::not_found, std::string("cannot start ssh (") + std::strerror(errno) +
                                           "); on Debian: apt-get install openssh-client"));
}

int run_proxy(const ClientChoices& choices, const std::string& instance, std::uint16_t port) {
    std::signal(SIGPIPE, SIG_IGN);
    auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    auto tunnel =
        (*client)->open_tunnel(fmt::format("/kiln/v1/instances/{}/tunnel?port={}", instance, port));
    if (!tunnel) {
        return fail(tunnel.error());
    }
    std::thread([raw = tunnel->get()] { net::relay_into(*raw, STDIN_FILENO); }).detach();
    net::relay_out(**tunnel, STDOUT_FILENO);
    // The other thread may still wait for input, and is not waited for.
    ::_exit(0);
}

}  // namespace kiln::cli
