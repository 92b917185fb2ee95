// SPDX-License-Identifier: Apache-2.0
#include "block/export/nbd_export.h"

#include "util/check.h"

namespace kiln::block::nbd {

Result<std::unique_ptr<Export>> Export::create(io::Sockets& sockets, io::Scheduler& scheduler,
                                               Volume& volume, const std::string& socket_path,
                                               bool read_only) {
    TRY_ASSIGN(const io::SocketId listener, sockets.listen_unix(socket_path));
    std::unique_ptr<Export> result(new Export(sockets, scheduler, volume, listener, read_only));
    result->listener_.accept();
    return result;
}

Export::~Export() {
    INVARIANT(!listening_ && sessions_.empty());
}

void Export::connected(io::SocketId socket) {
    const ExportInfo info{
        .name = volume_.id().str(), .size_bytes = volume_.size_bytes(), .read_only = read_only_};
    const std::uint64_t id = next_session_++;
    auto session = std::make_shared<Session>(sockets_, scheduler_, volume_, info, socket,
                                             [this, id] { session_ended(id); });
    sessions_.emplace(id, session);
    session->start();
}

void Export::session_ended(std::uint64_t session) {
    sessions_.erase(session);
    listener_.accept();
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
    closed_ = std::move(done);
    listener_.close([this] {
        listening_ = false;
        maybe_closed();
    });
    const auto sessions = sessions_;  // close() may end one and change the map
    for (const auto& [id, session] : sessions) {
        session->close();
    }
    maybe_closed();
}

void Export::maybe_closed() {
    if (!listening_ && sessions_.empty() && closed_) {
        scheduler_.post(std::move(closed_));
    }
}

}  // namespace kiln::block::nbd
