// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kiln::compute {
namespace {

// Enough for every disk and NIC a machine can have, and then some.
constexpr rlim_t kMaxOpenFiles = 4096;
constexpr int kMaxDescriptors = 256;

// The system call itself: sanitizers make _exit() flush the buffers that fork() copied from our
// parent.
[[noreturn]] void leave(int status) {
    while (true) {
        ::syscall(SYS_exit_group, status);
    }
}

[[noreturn]] void fail(int status_pipe, ChildStep step, std::uint32_t index = 0) {
    const ChildFailure failure{step, index, errno};
    const ssize_t written = ::write(status_pipe, &failure, sizeof failure);
    leave(written == sizeof failure ? 126 : 125);
}

// Moves the descriptors to 0, 1, 2, ...: first all out of the way, so that none overwrites another;
// then down.
bool place_descriptors(std::span<const int> descriptors) {
    const int count = static_cast<int>(descriptors.size());
    if (count > kMaxDescriptors) {
        errno = E2BIG;
        return false;
    }
    int high[kMaxDescriptors];
    for (int i = 0; i < count; ++i) {
        high[i] = ::fcntl(descriptors[static_cast<std::size_t>(i)], F_DUPFD, kMaxDescriptors);
        if (high[i] < 0) {
            return false;
        }
    }
    for (int i = 0; i < count; ++i) {
        if (::dup2(high[i], i) < 0) {
            return false;
        }
    }
    return ::syscall(SYS_close_range, count, ~0U, 0) == 0;
}

void reset_signals() {
    for (int signal = 1; signal < NSIG; ++signal) {
        ::signal(signal, SIG_DFL);  // fails for SIGKILL and SIGSTOP, which is fine
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool set_limits() {
    const rlimit no_core{0, 0};  // a core would hold the guest's memory
    rlimit files{};
    if (::setrlimit(RLIMIT_CORE, &no_core) != 0 || ::getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return false;
    }
    files.rlim_cur = files.rlim_max < kMaxOpenFiles ? files.rlim_max : kMaxOpenFiles;
    files.rlim_max = files.rlim_cur;
    return ::setrlimit(RLIMIT_NOFILE, &files) == 0;
}

// Ours stays as it is: a guest that is ended by the kernel takes nobody else with it. It is only a
// hint, so it may fail.
void offer_to_oom_killer(const char* score) {
    const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        const ssize_t written = ::write(fd, score, std::strlen(score));
        static_cast<void>(written);
        ::close(fd);
    }
}

// The raw system calls: glibc's functions first ask all threads to change too, and in a forked
// child there are none.
bool become(uid_t user, std::optional<gid_t> extra_group) {
    const gid_t group = user;
    const gid_t groups[1] = {extra_group.value_or(0)};
    return ::syscall(SYS_setgroups, extra_group ? 1 : 0, groups) == 0 &&
           ::syscall(SYS_setresgid, group, group, group) == 0 &&
           ::syscall(SYS_setresuid, user, user, user) == 0;
}

// What a service that is no root was given by its manager, for its own purposes, reaches a program
// by the ambient set alone.
bool choose_capabilities(bool keep) {
    if (!keep) {
        // EINVAL: a kernel without such a set.
        return ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 || errno == EINVAL;
    }
    for (const unsigned long capability : {CAP_NET_ADMIN, CAP_NET_BIND_SERVICE}) {
        // Refused where we do not have it.
        (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
    }
    return true;
}

}  // namespace

std::string_view to_string(ChildStep step) {
    switch (step) {
        case ChildStep::descriptors:
            return "pass descriptors";
        case ChildStep::session:
            return "make a session";
        case ChildStep::limits:
            return "set limits";
        case ChildStep::user:
            return "change user";
        case ChildStep::reach:
            return "reach a file";
        case ChildStep::execute:
            return "execute the program";
    }
    return "?";
}

void run_child(const ChildPlan& plan) {
    reset_signals();
    if (!place_descriptors(plan.descriptors)) {
        fail(plan.descriptors.back(), ChildStep::descriptors);
    }
    const int status_pipe = static_cast<int>(plan.descriptors.size()) - 1;
    const int hold_pipe = status_pipe - 1;
    ::fcntl(status_pipe, F_SETFD, FD_CLOEXEC);
    ::fcntl(hold_pipe, F_SETFD, FD_CLOEXEC);
    if (::setsid() < 0 || ::chdir("/") != 0) {
        fail(status_pipe, ChildStep::session);
    }
    ::umask(0077);
    if (!set_limits()) {
        fail(status_pipe, ChildStep::limits);
    }
    if (plan.oom_score != nullptr) {
        offer_to_oom_killer(plan.oom_score);
    }
    char go = 0;
    ssize_t n;
    do {
        n = ::read(hold_pipe, &go, 1);
    } while (n < 0 && errno == EINTR);
    if (n != 1) {
        leave(125);  // our parent died, or gave up, before its record was durable
    }
    if (plan.user && !become(*plan.user, plan.extra_group)) {
        fail(status_pipe, ChildStep::user);
    }
    if (!choose_capabilities(plan.keeps_capabilities)) {
        fail(status_pipe, ChildStep::user);
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        fail(status_pipe, ChildStep::user);
    }
    for (std::uint32_t i = 0; plan.must_reach[i] != nullptr; ++i) {
        if (::access(plan.must_reach[i], W_OK) != 0) {
            fail(status_pipe, ChildStep::reach, i);
        }
    }
    ::execv(plan.program, plan.args);
    fail(status_pipe, ChildStep::execute);
}

}  // namespace kiln::compute
