// SPDX-License-Identifier: Apache-2.0
#include "block/export/listener.h"

#include "util/check.h"
#include "util/log.h"

namespace kiln::block {
namespace {

constexpr std::chrono::milliseconds kRetry{100};

}  // namespace

Listener::~Listener() {
    INVARIANT(!accepting_);
}

void Listener::accept() {
    if (accepting_ || closing_ || !owner_.has_room()) {
        return;
    }
    accepting_ = true;
    sockets_.accept(socket_,
                    [this](Result<io::SocketId> connection) { accepted(std::move(connection)); });
}

void Listener::accepted(Result<io::SocketId> connection) {
    accepting_ = false;
    if (closing_) {
        if (connection) {
            sockets_.close(*connection);
        }
        closed_();
        return;
    }
    if (!connection) {
        log_warn("block", "export of " + owner_.name + ": " + connection.error().message());
        retry_ = scheduler_.after(kRetry, [this] { accept(); });
        return;
    }
    owner_.connected(*connection);
    accept();
}

void Listener::close(io::Callback<> done) {
    INVARIANT(!closing_);
    closing_ = true;
    closed_ = std::move(done);
    scheduler_.cancel(retry_);
    sockets_.close(socket_);
    if (!accepting_) {
        closed_();
    }
}

}  // namespace kiln::block
