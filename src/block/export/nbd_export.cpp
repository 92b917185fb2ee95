// SPDX-License-Identifier: Apache-2.0
#include "block/export/nbd_export.h"

#include "block/limits.h"
#include "util/log.h"

namespace kiln::block::nbd {
namespace {

// After a failed accept (no descriptors left): not at once again, that would spin.
constexpr std::chrono::milliseconds kAcceptRetry{100};

}  // namespace

Result<std::unique_ptr<Export>> Export::create(io::Sockets& sockets, io::Scheduler& scheduler,
                                               Volume& volume, const std::string& socket_path,
                                               bool read_only) {
    TRY_ASSIGN(const io::SocketId listener, sockets.listen_unix(socket_path));
    std::unique_ptr<Export> result(new Export(sockets, scheduler, volume, listener, read_only));
    result->accept();
    return result;
}

Export::~Export() {
    INVARIANT(closing_ && sessions_.empty() && !accepting_);
}

void Export::accept() {
    if (accepting_ || closing_ || sessions_.size() >= kMaxConnections) {
        return;  // the next ones wait in the backlog
    }
    accepting_ = true;
    sockets_.accept(listener_,
                    [this](Result<io::SocketId> socket) { accepted(std::move(socket)); });
}

void Export::accepted(Result<io::SocketId> socket) {
    accepting_ = false;
    if (closing_) {
        if (socket) {
            sockets_.close(*socket);
        }
        maybe_closed();
        return;
    }
    if (!socket) {
        log_warn("block", "export of " + volume_.id().str() + ": " + socket.error().message());
        retry_ = scheduler_.after(kAcceptRetry, [this] { accept(); });
        return;
    }
    const ExportInfo info{
        .name = volume_.id().str(), .size_bytes = volume_.size_bytes(), .read_only = read_only_};
    const std::uint64_t id = next_session_++;
    auto session = std::make_shared<Session>(sockets_, scheduler_, volume_, info, *socket,
                                             [this, id] { session_ended(id); });
    sessions_.emplace(id, session);
    session->start();
    accept();
}

void Export::session_ended(std::uint64_t session) {
    sessions_.erase(session);
    accept();
    maybe_closed();
}

// Each connection ends once it has answered what it read, and tells the new size to the client that
// comes back. The protocol has no other way.
void Export::advertise_anew() {
    const auto sessions = sessions_;  // retire() may end one and change the map
    for (const auto& [id, session] : sessions) {
        session->retire();
    }
}

void Export::close(io::Callback<> done) {
    INVARIANT(!closing_);
    closing_ = true;
    closed_ = std::move(done);
    scheduler_.cancel(retry_);
    sockets_.close(listener_);
    const auto sessions = sessions_;  // close() may end one and change the map
    for (const auto& [id, session] : sessions) {
        session->close();
    }
    maybe_closed();
}

void Export::maybe_closed() {
    if (closing_ && !accepting_ && sessions_.empty() && closed_) {
        scheduler_.post(std::move(closed_));
    }
}

}  // namespace kiln::block::nbd
