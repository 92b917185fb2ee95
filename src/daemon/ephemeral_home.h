// SPDX-License-Identifier: Apache-2.0
// EphemeralHome: the directories of a throw-away service, and the promise that they go with it.
//
// Made under TMPDIR (kiln-ephemeral-XXXXXX, 0700) and, for sockets, at a short path
// (kiln-e-XXXXXX). The destructor ends what their records say still runs and removes them. A guard
// process does the same when we end in any other way, kill -9 included: it has a session of its own
// and waits at a pipe for our end. Only who kills the guard too leaves something behind.
//
// One owner thread; create() before the process has any other thread.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "util/fs.h"
#include "util/result.h"

namespace kiln::daemon {

class EphemeralHome {
  public:
    static Result<std::unique_ptr<EphemeralHome>> create();
    ~EphemeralHome();
    EphemeralHome(const EphemeralHome&) = delete;
    EphemeralHome& operator=(const EphemeralHome&) = delete;

    const std::string& data_directory() const { return data_; }
    const std::string& runtime_directory() const { return runtime_; }

  private:
    EphemeralHome() = default;
    Status start_guard();
    void clean() const;
    [[noreturn]] void guard(UniqueFd life) const;

    std::string data_;
    std::string runtime_;
    UniqueFd life_;  // its other end tells the guard of our end
    pid_t guard_ = 0;
};

}  // namespace kiln::daemon
