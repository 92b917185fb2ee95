// SPDX-License-Identifier: Apache-2.0
#include "block/export/vhost_export.h"

#include "util/log.h"

namespace kiln::block::vhost {
namespace {

// After a failed accept (no descriptors left): not at once again, that would spin.
constexpr std::chrono::milliseconds kAcceptRetry{100};

}  // namespace

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
    result->accept();
    return result;
}

Export::~Export() {
    INVARIANT(closing_ && !session_ && !accepting_);
}

void Export::accept() {
    if (accepting_ || closing_ || session_) {
        return;
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
    session_ = std::make_shared<Session>(sockets_, scheduler_, volume_, facts_, *socket, [this] {
        session_.reset();
        accept();
        maybe_closed();
    });
    session_->start();
}

void Export::close(io::Callback<> done) {
    INVARIANT(!closing_);
    closing_ = true;
    closed_ = std::move(done);
    scheduler_.cancel(retry_);
    sockets_.close(listener_);
    if (session_) {
        session_->close();
    }
    maybe_closed();
}

void Export::maybe_closed() {
    if (closing_ && !accepting_ && !session_ && closed_) {
        scheduler_.post(std::move(closed_));
    }
}

}  // namespace kiln::block::vhost
