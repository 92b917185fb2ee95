// SPDX-License-Identifier: Apache-2.0
// Command: the program that `kiln serve --ephemeral -- COMMAND` runs once the service is ready, as
// if it had been started instead of us: same terminal, same standard files, our environment with
// the service's account and address in the place of whatever was there for AWS clients. It is told
// to end (SIGTERM) when we die.
//
// Thread model: one owner thread, which is the one that started it and lives as long as the
// process.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "util/fs.h"
#include "util/result.h"

namespace kiln::daemon {

// What its clients need to know.
struct CommandEnvironment {
    std::string data_directory;
    std::string endpoint_url;
    std::string region;
    std::string access_key;
    std::string secret_key;
};

// As a shell says that there is no such program, and that it cannot be run.
inline constexpr int kCommandNotFound = 127;
inline constexpr int kCommandNotExecutable = 126;

// The file that `name` means, found in PATH like a shell does. not_found, permission_denied.
Result<std::string> find_command(const std::string& name);

// "NAME=value" of all that it gets; `inherited` without what would lead AWS clients elsewhere.
std::vector<std::string> command_environment(const std::vector<std::string>& inherited,
                                             const CommandEnvironment& own);

class Command {
  public:
    // `words` has the name first; `program` is what find_command() said.
    static Result<Command> start(const std::string& program, const std::vector<std::string>& words,
                                 const std::vector<std::string>& environment);

    void send(int signal) const;
    // Readable once it has ended.
    int pidfd() const { return pidfd_.get(); }
    // Its exit code, 128 + the signal that ended it; after pidfd() is readable.
    int take_exit_code() const;

  private:
    explicit Command(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
    pid_t pid_;
    UniqueFd pidfd_;
};

}  // namespace kiln::daemon
