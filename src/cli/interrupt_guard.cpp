// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt_guard.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "util/check.h"

namespace kiln::cli {

InterruptGuard::InterruptGuard() {
    sigset_t ends;
    ::sigemptyset(&ends);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        ::sigaddset(&ends, signal);
    }
    ::pthread_sigmask(SIG_BLOCK, &ends, &before_);
    signals_.reset(::signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK));
    stop_.reset(::eventfd(0, EFD_CLOEXEC));
    INVARIANT(signals_ && stop_);
    thread_ = std::thread([this] { wait(); });
}

InterruptGuard::~InterruptGuard() {
    const std::uint64_t one = 1;
    INVARIANT(::write(stop_.get(), &one, sizeof one) == sizeof one);
    thread_.join();
    // What came after the last look ends the process here, with nothing left to remove.
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void InterruptGuard::add(const std::string& path) {
    MutexLock lock(mutex_);
    paths_.insert(path);
}

void InterruptGuard::remove(const std::string& path) {
    MutexLock lock(mutex_);
    paths_.erase(path);
}

void InterruptGuard::wait() {
    while (true) {
        pollfd waiting[] = {{signals_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
        if (::poll(waiting, 2, -1) < 0) {
            INVARIANT(errno == EINTR);
            continue;
        }
        signalfd_siginfo info{};
        if (::read(signals_.get(), &info, sizeof info) == sizeof info) {
            end(static_cast<int>(info.ssi_signo));
        }
        if (waiting[1].revents != 0) {
            return;
        }
    }
}

// The lock is kept to the end: nothing is made any more that nobody would remove.
void InterruptGuard::end(int signal) {
    mutex_.lock();
    for (const std::string& path : paths_) {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    ::signal(signal, SIG_DFL);
    sigset_t only;
    ::sigemptyset(&only);
    ::sigaddset(&only, signal);
    ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
    ::raise(signal);
    ::_exit(128 + signal);
}

}  // namespace kiln::cli
