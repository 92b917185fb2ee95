// SPDX-License-Identifier: Apache-2.0
#include "daemon/serve.h"

#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "daemon/command.h"
#include "daemon/ephemeral_home.h"
#include "daemon/server.h"
#include "daemon/service_manager.h"
#include "util/log.h"

extern char** environ;

namespace kiln::daemon {
namespace {

// Blocked in every thread, and read in this one. A command gets more than those that end us.
Result<UniqueFd> take_signals(bool for_command) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    if (for_command) {
        for (const int signal : {SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH}) {
            sigaddset(&signals, signal);
        }
    }
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC));
    if (!fd) {
        return Error::from_errno(errno, "signalfd");
    }
    return fd;
}

signalfd_siginfo next_signal(const UniqueFd& signals) {
    signalfd_siginfo info{};
    while (::read(signals.get(), &info, sizeof info) != sizeof info) {
        // interrupted
    }
    return info;
}

// Capabilities from our manager are ours, not those of each program we start (bubblewrap refuses to
// run with any). Network processes get them again (compute/qemu/child.cpp).
Status keep_capabilities_to_ourselves() {
    // EINVAL: a kernel without such a set.
    return ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 || errno == EINVAL
               ? ok()
               : Error::from_errno(errno, "clear the ambient capabilities");
}

void tell_first_steps(const Server& server) {
    std::fprintf(stderr,
                 "\nKiln is ready at %s\n"
                 "An account was made; its keys are in %s/credentials (profile kiln). Next:\n\n"
                 "  eval \"$(kiln env --data %s)\"\n"
                 "  aws ec2 describe-regions\n\n",
                 server.url().c_str(), server.data_directory().c_str(),
                 server.data_directory().c_str());
}

// A link is a secret: only a terminal gets one, never a log.
void offer_console(Server& server) {
    const std::string link = ::isatty(STDERR_FILENO) != 0 ? server.make_console_link() : "";
    if (link.empty()) {
        std::fprintf(stderr,
                     "Web console: %s/console/ (kiln web prints a link that signs you in)\n",
                     server.url().c_str());
    } else {
        std::fprintf(stderr,
                     "Web console, signed in, for one use within %d minutes:\n  %s\n"
                     "kiln web prints another one.\n\n",
                     static_cast<int>(api::ConsoleLinks::kLifetime.count()), link.c_str());
    }
}

// Other programs are given these paths, some of them in directories of their own.
void make_absolute(std::string& path) {
    std::error_code unknown;
    if (!path.empty()) {
        path = std::filesystem::absolute(path, unknown).lexically_normal();
    }
}

Status announce_ready(int fd) {
    if (fd >= 0) {
        if (::write(fd, "1", 1) != 1) {
            return Error::from_errno(errno, "write to --ready-fd");
        }
        ::close(fd);
    }
    return tell_service_manager("READY=1");
}

// Left alone, malloc takes the largest block that was ever freed (a pack: tens of MiB) for usual,
// and keeps as much in each arena for ever: 57 MiB instead of 31 after an import. What guests ask
// for at once is below this, and stays out of mmap().
void give_memory_back() {
    constexpr int kMapFrom = 1 << 20;
    constexpr int kKeepAtMost = 2 << 20;
    ::mallopt(M_MMAP_THRESHOLD, kMapFrom);
    ::mallopt(M_TRIM_THRESHOLD, kKeepAtMost);
}

// A volume that is open has several files. Shells and containers begin with 1024, which programs
// with select() need; what we may have is the hard limit. It is left as it is if it cannot be told.
void use_all_files() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
}

std::vector<std::string> own_environment() {
    std::vector<std::string> out;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        out.emplace_back(*variable);
    }
    return out;
}

// Until it has ended. A key pressed at the terminal reaches the command without us, since it is in
// our process group: only what was sent to us alone is passed on.
int accompany(const Command& command, const UniqueFd& signals) {
    std::array<pollfd, 2> events{{{command.pidfd(), POLLIN, 0}, {signals.get(), POLLIN, 0}}};
    while (true) {
        if (::poll(events.data(), events.size(), -1) < 0) {
            continue;  // interrupted
        }
        if (events[0].revents != 0) {
            return command.take_exit_code();
        }
        if (events[1].revents != 0) {
            const signalfd_siginfo info = next_signal(signals);
            if (info.ssi_code != SI_KERNEL) {
                command.send(static_cast<int>(info.ssi_signo));
            }
        }
    }
}

Result<int> run_command(Server& server, const std::string& program,
                        const std::vector<std::string>& words, const UniqueFd& signals) {
    TRY_ASSIGN(const CommandEnvironment own, server.command_environment());
    TRY_ASSIGN(const Command command,
               Command::start(program, words, command_environment(own_environment(), own)));
    return accompany(command, signals);
}

// While nobody looks at the log, because a command's output is what is looked at, only what went
// wrong is said.
void set_logging(const ServeOptions& options) {
    set_log_format(options.log_format == "json" ? LogFormat::json : LogFormat::text);
    set_log_level(options.verbose           ? LogLevel::debug
                  : options.command.empty() ? LogLevel::info
                                            : LogLevel::warn);
}

Status tell_ready(Server& server, const ServeOptions& options) {
    log_info("daemon", "listening on " + server.url());
    if (options.command.empty()) {
        if (server.first_start()) {
            tell_first_steps(server);
        }
        offer_console(server);
    }
    return announce_ready(options.ready_fd);
}

int serve_until_end(const ServeOptions& options, const std::string& program,
                    const UniqueFd& signals) {
    auto server = Server::start(options);
    if (!server) {
        log_error("daemon", "cannot start: " + server.error().message());
        return 1;
    }
    if (Status told = tell_ready(**server, options); !told) {
        log_error("daemon", told.error().to_string());
        return 1;
    }
    int exit_code = 0;
    if (options.command.empty()) {
        next_signal(signals);
    } else {
        const auto ended = run_command(**server, program, options.command, signals);
        if (!ended) {
            log_error("daemon", ended.error().message());
        }
        exit_code = ended.value_or(kCommandNotExecutable);
    }
    log_info("daemon", "stopping");
    if (Status told = tell_service_manager("STOPPING=1"); !told) {
        log_warn("daemon", told.error().to_string());
    }
    (*server)->stop();
    return exit_code;
}

}  // namespace

int serve(const ServeOptions& given) {
    give_memory_back();
    use_all_files();
    set_logging(given);
    ServeOptions options = given;
    std::string program;
    if (!options.command.empty()) {
        auto found = find_command(options.command.front());
        if (!found) {
            std::fprintf(stderr, "kiln: %s\n", found.error().message().c_str());
            return found.error().code() == Code::not_found ? kCommandNotFound
                                                           : kCommandNotExecutable;
        }
        program = *found;
    }
    if (const Status kept = keep_capabilities_to_ourselves(); !kept) {
        log_error("daemon", kept.error().to_string());
        return 1;
    }
    const auto signals = take_signals(!options.command.empty());
    if (!signals) {
        log_error("daemon", signals.error().to_string());
        return 1;
    }
    // Outlives the server; removed on every way out.
    std::unique_ptr<EphemeralHome> home;
    if (options.ephemeral) {
        auto made = EphemeralHome::create();
        if (!made) {
            log_error("daemon", made.error().to_string());
            return 1;
        }
        home = std::move(*made);
        options.data_directory = home->data_directory();
        options.runtime_directory = home->runtime_directory();
    }
    make_absolute(options.data_directory);
    make_absolute(options.runtime_directory);
    return serve_until_end(options, program, *signals);
}

}  // namespace kiln::daemon
