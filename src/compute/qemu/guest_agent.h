// SPDX-License-Identifier: Apache-2.0
// The agent inside a guest (qemu-ga), as far as it holds file systems still: commands over the
// machine's agent socket, one JSON object a line.
//
// What comes back is written by a guest: bounded, parsed by the QMP codec, and believed in nothing
// but whether a command was done. An agent that was asked by somebody before may still be answering
// that; the first exchange therefore carries a number that the answer has to repeat (the protocol's
// guest-sync-delimited). Thread model: one owner thread, blocking.
#pragma once

#include <string>

#include "compute/qemu/qmp.h"
#include "util/deadline.h"
#include "util/fs.h"

namespace kiln::compute {

class GuestAgent {
  public:
    // unavailable when nobody listens, deadline_exceeded when no agent answers.
    static Result<GuestAgent> connect(const std::string& socket_path, Deadline deadline);

    // Writes the guest's file systems out and holds them still. An error leaves them as they were,
    // except deadline_exceeded and unavailable: then thaw() has to be tried.
    Status freeze(Deadline deadline);
    // Nothing is done to file systems that are not held.
    Status thaw(Deadline deadline);

  private:
    explicit GuestAgent(UniqueFd socket) : socket_(std::move(socket)) {}
    Status synchronize(Deadline deadline);
    Status execute(std::string_view command, Deadline deadline);
    Status send(std::string_view line, Deadline deadline);
    Result<std::string> read_line(Deadline deadline);

    UniqueFd socket_;
    std::string buffer_;
};

}  // namespace kiln::compute
