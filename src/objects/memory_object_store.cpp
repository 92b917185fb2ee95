// SPDX-License-Identifier: Apache-2.0
#include "objects/memory_object_store.h"

#include "objects/detail/checks.h"
#include "objects/detail/pending_call.h"

namespace kiln::objects {
namespace {

Bytes slice(const Bytes& all, std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t first = std::min<std::uint64_t>(offset, all.size());
    const std::uint64_t count = std::min<std::uint64_t>(length, all.size() - first);
    const ByteView part = ByteView(all).subspan(first, count);
    return {part.begin(), part.end()};
}

}  // namespace

CallPtr MemoryObjectStore::put(std::string name, SharedBytes content, CallOptions options,
                               io::Callback<Status> done) {
    auto call = PendingCall<void>::start(scheduler_, options, std::move(done));
    if (Status fine = check_put(name, content); !fine) {
        call->finish_later(std::move(fine));
    } else if (!contents.try_emplace(name, std::move(content)).second) {
        call->finish_later(Error(Code::already_exists, "object " + name + " is there"));
    } else {
        call->finish_later(ok());
    }
    return call;
}

CallPtr MemoryObjectStore::get(std::string name, std::uint64_t offset, std::uint64_t length,
                               CallOptions options, io::Callback<Result<Bytes>> done) {
    auto call = PendingCall<Bytes>::start(scheduler_, options, std::move(done));
    if (Status fine = check_get(name, offset, length); !fine) {
        call->finish_later(std::move(fine.error()));
    } else if (const auto found = contents.find(name); found == contents.end()) {
        call->finish_later(no_object(name));
    } else {
        call->finish_later(slice(*found->second, offset, length));
    }
    return call;
}

CallPtr MemoryObjectStore::get_tail(std::string name, std::uint64_t length, CallOptions options,
                                    io::Callback<Result<Tail>> done) {
    auto call = PendingCall<Tail>::start(scheduler_, options, std::move(done));
    if (Status fine = check_get(name, 0, length); !fine) {
        call->finish_later(std::move(fine.error()));
    } else if (const auto found = contents.find(name); found == contents.end()) {
        call->finish_later(no_object(name));
    } else {
        const std::uint64_t size = found->second->size();
        call->finish_later(
            Tail{size, slice(*found->second, size - std::min(size, length), length)});
    }
    return call;
}

CallPtr MemoryObjectStore::remove(std::string name, CallOptions options,
                                  io::Callback<Status> done) {
    auto call = PendingCall<void>::start(scheduler_, options, std::move(done));
    Status fine = check_name(name);
    if (fine) {
        contents.erase(name);
    }
    call->finish_later(std::move(fine));
    return call;
}

}  // namespace kiln::objects
