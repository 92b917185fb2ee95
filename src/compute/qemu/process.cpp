// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "compute/qemu/child.h"
#include "util/strings.h"

namespace kiln::compute {
namespace {

struct ProcessStat {
    char state = '?';
    std::uint64_t start_time = 0;
};

// The second field of /proc/PID/stat is the program's name in parentheses and may hold anything:
// read after the last ')'.
Result<ProcessStat> read_stat(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/stat";
    TRY_ASSIGN(const std::string text, read_file(path, 8192));
    const auto close = text.rfind(')');
    if (close == std::string::npos || close + 2 >= text.size()) {
        return Error(Code::internal, path + " has no name field");
    }
    const auto fields = split(trim(std::string_view(text).substr(close + 2)), ' ');
    constexpr std::size_t kStartTime = 22 - 3;  // the first of `fields` is field 3
    if (fields.size() <= kStartTime || fields[0].size() != 1) {
        return Error(Code::internal, path + " is too short");
    }
    const auto start_time = parse_int<std::uint64_t>(fields[kStartTime]);
    if (!start_time) {
        return Error(Code::internal, path + " has no start time");
    }
    return ProcessStat{fields[0][0], *start_time};
}

Result<std::string> current_boot_id() {
    TRY_ASSIGN(const std::string text, read_file("/proc/sys/kernel/random/boot_id", 256));
    return std::string(trim(text));
}

Result<std::pair<UniqueFd, UniqueFd>> make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return Error::from_errno(errno, "pipe2");
    }
    return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

bool wait_readable(int fd, Deadline deadline) {
    while (true) {
        pollfd wait{fd, POLLIN, 0};
        const int n = ::poll(&wait, 1, static_cast<int>(deadline.left().count()));
        if (n > 0) {
            return true;
        }
        if (n == 0 && deadline.passed()) {
            return false;
        }
        if (n < 0 && errno != EINTR) {
            return false;
        }
    }
}

// Forks with all signals blocked, so that none of our handlers ever runs in the child; the child
// resets and unblocks them.
pid_t fork_child(const ChildPlan& plan) {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before);
    const pid_t pid = ::fork();
    const int fork_error = errno;
    if (pid == 0) {
        run_child(plan);
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = fork_error;
    return pid;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    out.reserve(texts.size() + 1);
    for (const auto& text : texts) {
        out.push_back(const_cast<char*>(text.c_str()));
    }
    out.push_back(nullptr);
    return out;
}

// As if it held three tenths of the host's memory more than it does.
std::string expendable_score() {
    constexpr int kMore = 300;
    constexpr int kMost = 1000;
    const auto text = read_file("/proc/self/oom_score_adj");
    const int own = text ? parse_int<int>(trim(*text)).value_or(0) : 0;
    return std::to_string(std::min(own + kMore, kMost));
}

Error child_failure(const ChildFailure& failure, const std::vector<std::string>& must_reach) {
    std::string what(to_string(failure.step));
    if (failure.step == ChildStep::reach && failure.index < must_reach.size()) {
        what = "reach " + must_reach[failure.index] +
               " as the machine's own user (are its directories searchable by others?)";
    }
    return Error::from_errno(failure.error, "start process: " + what);
}

}  // namespace

Result<HeldProcess> HeldProcess::spawn(const SpawnRequest& request) {
    HeldProcess process;
    process.must_reach_ = request.must_reach;
    TRY_ASSIGN(process.identity_.boot_id, current_boot_id());
    TRY_ASSIGN(auto hold, make_pipe());
    TRY_ASSIGN(auto status, make_pipe());
    UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null) {
        return Error::from_errno(errno, "open /dev/null");
    }
    // Everything the child needs is laid out before fork: it may not allocate.
    const auto args = pointers(request.args);
    const auto reach = pointers(request.must_reach);
    std::vector<int> descriptors = {null.get(), request.log, request.log};
    descriptors.insert(descriptors.end(), request.descriptors.begin(), request.descriptors.end());
    descriptors.push_back(hold.first.get());
    descriptors.push_back(status.second.get());
    ChildPlan plan;
    plan.program = request.program.c_str();
    plan.args = args.data();
    plan.must_reach = reach.data();
    plan.descriptors = descriptors;
    plan.user = request.user;
    plan.extra_group = request.extra_group;
    plan.keeps_capabilities = request.keeps_capabilities;
    const std::string score = expendable_score();
    plan.oom_score = request.expendable ? score.c_str() : nullptr;

    process.identity_.pid = fork_child(plan);
    if (process.identity_.pid < 0) {
        return Error::from_errno(errno, "fork");
    }
    process.hold_ = std::move(hold.second);
    process.status_ = std::move(status.first);
    process.pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, process.identity_.pid, 0)));
    auto stat = process.pidfd_ ? read_stat(process.identity_.pid)
                               : Result<ProcessStat>(Error::from_errno(errno, "pidfd_open"));
    if (!stat) {
        return std::move(stat).error();
    }
    process.identity_.start_time = stat->start_time;
    return process;
}

HeldProcess::~HeldProcess() {
    if (hold_) {
        hold_.reset();
        ::waitpid(identity_.pid, nullptr, 0);
    }
}

Status HeldProcess::release(Deadline deadline) {
    const char go = 1;
    if (::write(hold_.get(), &go, 1) != 1) {
        return Error::from_errno(errno, "release process");
    }
    hold_.reset();
    if (!wait_readable(status_.get(), deadline)) {
        return Error(Code::deadline_exceeded, "the process did not execute in time");
    }
    ChildFailure failure;
    const ssize_t n = ::read(status_.get(), &failure, sizeof failure);
    if (n == 0) {
        return ok();
    }
    if (n != sizeof failure) {
        return Error(Code::internal, "the process ended before executing");
    }
    return child_failure(failure, must_reach_);
}

Result<std::optional<UniqueFd>> open_process(const ProcessIdentity& identity) {
    TRY_ASSIGN(const std::string boot_id, current_boot_id());
    if (identity.pid <= 0 || identity.boot_id != boot_id) {
        return std::optional<UniqueFd>();
    }
    // The descriptor first: what is then read under /proc belongs to it, or to a later process with
    // another start time.
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, identity.pid, 0)));
    if (!pidfd) {
        if (errno == ESRCH) {
            return std::optional<UniqueFd>();
        }
        return Error::from_errno(errno, "pidfd_open");
    }
    auto stat = read_stat(identity.pid);
    if (!stat) {
        if (wait_for_exit(pidfd, Deadline::after(std::chrono::milliseconds(0)))) {
            return std::optional<UniqueFd>();
        }
        return std::move(stat).error();
    }
    if (stat->start_time != identity.start_time) {
        return std::optional<UniqueFd>();
    }
    if (stat->state == 'Z' || stat->state == 'X') {
        reap(pidfd);
        return std::optional<UniqueFd>();
    }
    return std::optional<UniqueFd>(std::move(pidfd));
}

Status signal_process(const UniqueFd& pidfd, int signal) {
    if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) != 0 && errno != ESRCH) {
        return Error::from_errno(errno, "pidfd_send_signal");
    }
    return ok();
}

std::optional<int> reap(const UniqueFd& pidfd) {
    siginfo_t info{};
    if (::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED | WNOHANG) != 0 ||
        info.si_pid == 0) {
        return std::nullopt;
    }
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

bool wait_for_exit(const UniqueFd& pidfd, Deadline deadline) {
    return wait_readable(pidfd.get(), deadline);
}

Result<std::string> command_line(pid_t pid) {
    return read_file("/proc/" + std::to_string(pid) + "/cmdline");
}

}  // namespace kiln::compute
