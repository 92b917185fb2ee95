// SPDX-License-Identifier: Apache-2.0
// What reads strangers' disks in a sandbox, QEMU's tools and our own reader (D22): no network, no
// files but those bound into it, limits on memory and open files; it ends with this process. Thread
// model: one owner thread, blocking.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "util/deadline.h"
#include "util/fs.h"
#include "util/result.h"

namespace kiln::disks {

// A file or directory of the host as the program inside sees it.
struct SandboxFile {
    std::string outside;
    std::string inside;
    bool writable = false;
};

struct SandboxLimits {
    std::uint64_t memory_bytes = 4ULL << 30;
    std::uint32_t cpu_seconds = 0;  // 0: none
};

// The command line of a program in a sandbox.
std::vector<std::string> in_sandbox(const std::vector<SandboxFile>& files,
                                    const std::vector<std::string>& program,
                                    const SandboxLimits& limits = {});

// A child process that is killed with this object.
class Child {
  public:
    Child() = default;
    Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
    Child& operator=(Child&&) = delete;
    ~Child();

    // Its output and errors go to `output`, its input is empty unless given; no signal is blocked
    // in it.
    static Result<Child> start(const std::vector<std::string>& words, int output, int input = -1);
    // The exit status, once it has ended; 128 + the signal.
    int wait();
    bool ended() const;

  private:
    pid_t pid_ = -1;
};

struct Pipe {
    UniqueFd out;
    UniqueFd in;
};
Result<Pipe> make_pipe();
// Until the other end is closed; deadline_exceeded, or invalid_argument when there is too much.
Result<std::string> read_output(int fd, Deadline deadline);

// Runs the program to its end; its output. invalid_argument with the output when it fails.
Result<std::string> run_in_sandbox(const std::vector<SandboxFile>& files,
                                   const std::vector<std::string>& program, Deadline deadline);

}  // namespace kiln::disks
