// SPDX-License-Identifier: Apache-2.0
#include "net/detail/connections.h"

namespace kiln::net::detail {

std::shared_ptr<Stream> ConnectionTable::adopt(std::unique_ptr<Stream> stream) {
    {
        MutexLock lock(mutex_);
        streams_.insert(stream.get());
    }
    return {stream.release(), [table = shared_from_this()](Stream* gone) { table->remove(gone); }};
}

std::size_t ConnectionTable::size() const {
    MutexLock lock(mutex_);
    return streams_.size();
}

void ConnectionTable::cut_off_all() {
    MutexLock lock(mutex_);
    for (Stream* const stream : streams_) {
        stream->shut_down();
    }
}

void ConnectionTable::forget_owner() {
    MutexLock lock(mutex_);
    on_room_ = nullptr;
}

void ConnectionTable::remove(Stream* stream) {
    // Out of the table first, so that cut_off_all() never meets a closed one; closed before room is
    // told.
    {
        MutexLock lock(mutex_);
        streams_.erase(stream);
    }
    delete stream;
    MutexLock lock(mutex_);
    if (on_room_) {
        on_room_();  // under the lock, so that it cannot run after forget_owner(); it only posts
    }
}

}  // namespace kiln::net::detail
