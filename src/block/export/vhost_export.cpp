// SPDX-License-Identifier: Apache-2.0
#include "block/export/vhost_export.h"

#include "util/check.h"

namespace kiln::block::vhost {

Result<std::unique_ptr<Export>> Export::create(io::Sockets& sockets, io::Scheduler& scheduler,
                                               Volume& volume, const std::string& socket_path,
                                               DeviceFacts facts) {
    if (facts.name.size() > kDiskNameBytes) {
        return Error(Code::invalid_argument, "the name of a disk has at most 20 bytes");
    }
    if (volume.size_bytes() % kSectorBytes != 0) {
        return Error(Code::invalid_argument, "a disk of whole sectors only");
    }
    TRY_ASSIGN(const io::SocketId listener, sockets.listen_unix(socket_path));
    std::unique_ptr<Export> result(
        new Export(sockets, scheduler, volume, listener, std::move(facts)));
    result->listener_.accept();
    return result;
}

Export::~Export() {
    INVARIANT(!listening_ && !session_);
}

void Export::connected(io::SocketId socket) {
    session_ = std::make_shared<Session>(sockets_, scheduler_, volume_, facts_, socket, [this] {
        session_.reset();
        listener_.accept();
        maybe_closed();
    });
    session_->start();
}

void Export::close(io::Callback<> done) {
    closed_ = std::move(done);
    listener_.close([this] {
        listening_ = false;
        maybe_closed();
    });
    if (session_) {
        session_->close();
    }
    maybe_closed();
}

void Export::maybe_closed() {
    if (!listening_ && !session_ && closed_) {
        scheduler_.post(std::move(closed_));
    }
}

}  // namespace kiln::block::vhost
