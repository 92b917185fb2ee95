// SPDX-License-Identifier: Apache-2.0
#include "daemon/ephemeral_home.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "compute/leftovers.h"
#include "daemon/directories.h"
#include "util/log.h"

namespace kiln::daemon {
namespace {

constexpr std::chrono::seconds kEndTime{10};

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

Result<std::string> make_temporary(const std::string& beginning) {
    std::string path = beginning + "XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
        return Error::from_errno(errno, "make a temporary directory " + path);
    }
    return path;
}

// Sockets' names are short: TMPDIR may be too long for them.
std::string socket_place() {
    if (::geteuid() == 0 && ::access("/run", W_OK) == 0) {
        return "/run";
    }
    const std::string runtime = environment("XDG_RUNTIME_DIR");
    const bool good = runtime.starts_with('/') && ::access(runtime.c_str(), W_OK) == 0 &&
                      runtime.size() + sizeof "/kiln-e-XXXXXX" <= kMaxRuntimePath;
    return good ? runtime : "/tmp";
}

}  // namespace

Result<std::unique_ptr<EphemeralHome>> EphemeralHome::create() {
    std::unique_ptr<EphemeralHome> home(new EphemeralHome);
    const std::string wanted = environment("TMPDIR");
    std::error_code error;
    const std::string place =
        wanted.empty() ? "/tmp" : std::filesystem::absolute(wanted, error).string();
    TRY_ASSIGN(home->data_, make_temporary(place + "/kiln-ephemeral-"));
    TRY_ASSIGN(home->runtime_, make_temporary(socket_place() + "/kiln-e-"));
    // Guests with users of their own pass through to the sockets that are given to them.
    if (::chmod(home->runtime_.c_str(), 0711) != 0) {
        return Error::from_errno(errno, "chmod " + home->runtime_);
    }
    TRY(home->start_guard());
    return home;
}

EphemeralHome::~EphemeralHome() {
    clean();
    if (guard_ != 0) {
        const ssize_t told = ::write(life_.get(), "1", 1);
        static_cast<void>(told);  // a guard that is gone needs no telling
        life_.reset();
        ::waitpid(guard_, nullptr, 0);
    }
}

Status EphemeralHome::start_guard() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return Error::from_errno(errno, "pipe2");
    }
    UniqueFd reading(ends[0]);
    life_.reset(ends[1]);
    const pid_t pid = ::fork();
    if (pid < 0) {
        return Error::from_errno(errno, "fork");
    }
    if (pid == 0) {
        life_.reset();
        guard(std::move(reading));
    }
    guard_ = pid;
    return ok();
}

// The process has one thread, so all of C++ may be used after the fork.
void EphemeralHome::guard(UniqueFd life) const {
    if (::setsid() < 0 || ::chdir("/") != 0) {
        ::_exit(1);
    }
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    // Away from the standard files: those we were started with may have been closed.
    constexpr int kLife = STDERR_FILENO + 1;
    const int held = ::fcntl(life.get(), F_DUPFD, 2 * kLife);
    // Whoever waits for the end of our output or of --ready-fd waits for the service, not for us.
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        ::dup2(null.get(), fd);
    }
    ::dup2(held, kLife);
    ::syscall(SYS_close_range, kLife + 1, ~0U, 0);
    char told = 0;
    ssize_t n;
    do {
        n = ::read(kLife, &told, 1);
    } while (n < 0 && errno == EINTR);
    if (n == 0) {
        clean();
    }
    ::_exit(0);
}

void EphemeralHome::clean() const {
    if (!data_.empty()) {
        if (const Status ended =
                compute::end_recorded_processes(data_ + "/instances", Deadline::after(kEndTime));
            !ended) {
            log_error("daemon", ended.error().to_string());
        }
    }
    for (const std::string& path : {data_, runtime_}) {
        if (path.empty()) {
            continue;  // not made
        }
        std::error_code error;
        std::filesystem::remove_all(path, error);
        if (error) {
            log_error("daemon", "cannot remove " + path + ": " + error.message());
        }
    }
}

}  // namespace kiln::daemon
