// SPDX-License-Identifier: Apache-2.0
// One QMP connection. Commands are sent by any thread and answered through the supervisor, which
// calls on_readable() when the socket has something; the caller of execute() sleeps until its
// answer, its deadline, or the end of the connection.
//
// QEMU may hang inside a command (a dead disk export does that to `stop` and `quit`): then
// execute() ends with deadline_exceeded, a late answer is dropped, and the number of unanswered
// commands is bounded.
//
// Thread-safe, except that on_readable() belongs to the supervisor thread, which must not call
// execute() or handshake().
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "compute/qemu/qmp.h"
#include "util/deadline.h"
#include "util/fs.h"
#include "util/mutex.h"

namespace kiln::compute {

class QmpClient {
  public:
    // Connects to the unix socket at `path`. Does not wait for QEMU: the listener's backlog takes
    // the connection.
    static Result<std::shared_ptr<QmpClient>> connect(const std::string& path);
    explicit QmpClient(UniqueFd socket) : socket_(std::move(socket)) {}

    int fd() const { return socket_.get(); }

    // Waits for the greeting and leaves negotiation mode. Once, before any other command.
    Status handshake(Deadline deadline) EXCLUDES(mutex_);
    // The reply; a failure becomes an Error (failed_precondition) with QEMU's words.
    Result<QmpMessage> execute(std::string_view command, Deadline deadline) EXCLUDES(mutex_) {
        return execute(command, {}, deadline);
    }
    Result<QmpMessage> execute(std::string_view command, std::string_view arguments,
                               Deadline deadline) EXCLUDES(mutex_);

    struct Input {
        std::vector<QmpMessage> events;
        bool closed = false;
    };
    Input on_readable() EXCLUDES(mutex_);
    // Ends the connection: every waiting and later command fails with unavailable.
    void close(std::string_view why) EXCLUDES(mutex_);
    bool closed() EXCLUDES(mutex_);

  private:
    void take_message(QmpMessage message, std::vector<QmpMessage>& events) EXCLUDES(mutex_);
    // Lines of buffer_ into events and answers. False on a line that is no QMP.
    bool take_lines(std::vector<QmpMessage>& events) EXCLUDES(mutex_);
    Result<std::uint64_t> send_command(std::string_view command, std::string_view arguments)
        REQUIRES(mutex_);

    const UniqueFd socket_;
    std::string buffer_;  // supervisor thread only: the unfinished line

    Mutex mutex_;
    CondVar changed_;
    bool greeted_ GUARDED_BY(mutex_) = false;
    bool closed_ GUARDED_BY(mutex_) = false;
    std::string why_closed_ GUARDED_BY(mutex_);
    std::uint64_t next_id_ GUARDED_BY(mutex_) = 1;
    std::uint64_t unanswered_ GUARDED_BY(mutex_) = 0;
    // Commands somebody waits for; the answer once it is there.
    std::map<std::uint64_t, std::optional<QmpMessage>> waiting_ GUARDED_BY(mutex_);
};

}  // namespace kiln::compute
