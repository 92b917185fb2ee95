// SPDX-License-Identifier: Apache-2.0
// Child processes that outlive us: spawned in two steps so that a durable record can be written in
// between, and found again later by pid and start time.
//
// The child has a session of its own, no inherited descriptor but those given, stdin from
// /dev/null, stdout and stderr in a file, default signal handling, no core dumps, no way to gain
// privileges. It waits for release(); if we die first (or the HeldProcess is destroyed) it ends
// without having executed anything. Thread model: pure functions; HeldProcess has one owner.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "util/deadline.h"
#include "util/fs.h"

namespace kiln::compute {

// The number under which the child sees the first of SpawnRequest::descriptors; the others follow.
inline constexpr int kFirstChildFd = 3;

struct SpawnRequest {
    std::string program;            // absolute path
    std::vector<std::string> args;  // with args[0]
    std::vector<int> descriptors;   // become kFirstChildFd, kFirstChildFd + 1, ...
    int log = -1;                   // stdout and stderr
    std::optional<uid_t> user;      // and group of the same number; nothing: ours
    std::optional<gid_t> extra_group;
    // Those capabilities of ours that it takes to carry a network, which only a process that gives
    // them up itself should have; others have none unless they are root's.
    bool keeps_capabilities = false;
    // The process and what it holds are what the kernel ends first when memory runs out, before us.
    bool expendable = false;
    // Files the child, as its user, must be able to write to (sockets of its disks); checked before
    // executing.
    std::vector<std::string> must_reach;
};

// Names one process for all time on this host.
struct ProcessIdentity {
    pid_t pid = 0;
    std::uint64_t start_time = 0;  // field 22 of /proc/PID/stat: clock ticks after boot
    std::string boot_id;
};

class HeldProcess {
  public:
    static Result<HeldProcess> spawn(const SpawnRequest& request);
    HeldProcess(HeldProcess&&) = default;
    HeldProcess& operator=(HeldProcess&&) = delete;
    ~HeldProcess();  // not released: the child ends and is reaped

    const ProcessIdentity& identity() const { return identity_; }
    // Lets it execute the program; returns when it has. On failure the child has ended or is to be
    // killed.
    Status release(Deadline deadline);
    UniqueFd take_pidfd() { return std::move(pidfd_); }

  private:
    HeldProcess() = default;
    ProcessIdentity identity_;
    UniqueFd pidfd_;
    UniqueFd hold_;    // one byte lets the child go on
    UniqueFd status_;  // closes when it executes, carries an error when it cannot
    std::vector<std::string> must_reach_;
};

// The process, if it is still the same one and no zombie.
Result<std::optional<UniqueFd>> open_process(const ProcessIdentity& identity);
Status signal_process(const UniqueFd& pidfd, int signal);
// Takes the status of a child that has ended, as a shell shows it; nothing when it is not our
// child.
std::optional<int> reap(const UniqueFd& pidfd);
// True when it ended in time.
bool wait_for_exit(const UniqueFd& pidfd, Deadline deadline);

// The command line of a live process: its arguments, each ended by a zero byte.
Result<std::string> command_line(pid_t pid);

}  // namespace kiln::compute
