// SPDX-License-Identifier: Apache-2.0
#include "daemon/serve.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "daemon/server.h"
#include "daemon/service_manager.h"
#include "util/log.h"

namespace kiln::daemon {
namespace {

// Blocked in every thread, taken by sigwait() in this one.
sigset_t block_end_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return signals;
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

Status announce_ready(int fd) {
    if (fd >= 0) {
        if (::write(fd, "1", 1) != 1) {
            return Error::from_errno(errno, "write to --ready-fd");
        }
        ::close(fd);
    }
    return tell_service_manager("READY=1");
}

}  // namespace

int serve(const ServeOptions& given) {
    const sigset_t signals = block_end_signals();
    set_log_format(given.log_format == "json" ? LogFormat::json : LogFormat::text);
    set_log_level(given.verbose ? LogLevel::debug : LogLevel::info);
    if (Status kept = keep_capabilities_to_ourselves(); !kept) {
        log_error("daemon", kept.error().to_string());
        return 1;
    }
    ServeOptions options = given;
    if (options.ephemeral) {
        char directory[] = "/tmp/kiln-ephemeral-XXXXXX";
        if (::mkdtemp(directory) == nullptr) {
            log_error("daemon", Error::from_errno(errno, "make a temporary directory").to_string());
            return 1;
        }
        options.data_directory = directory;
    }
    auto server = Server::start(options);
    if (!server) {
        log_error("daemon", "cannot start: " + server.error().message());
        return 1;
    }
    log_info("daemon", "listening on " + (*server)->url());
    if ((*server)->first_start()) {
        tell_first_steps(**server);
    }
    offer_console(**server);
    if (Status told = announce_ready(options.ready_fd); !told) {
        log_error("daemon", told.error().to_string());
        return 1;
    }
    int signal = 0;
    sigwait(&signals, &signal);
    log_info("daemon", "stopping");
    if (Status told = tell_service_manager("STOPPING=1"); !told) {
        log_warn("daemon", told.error().to_string());
    }
    (*server)->stop();
    return 0;
}

}  // namespace kiln::daemon
