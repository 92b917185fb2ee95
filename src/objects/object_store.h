// SPDX-License-Identifier: Apache-2.0
// ObjectStore: immutable byte strings under names (docs/formats/objects.md), by completion.
//
// put creates the object whole and durable, or not at all; already_exists leaves what is there. Who
// does not know the outcome (deadline_exceeded, cancelled, io_error) takes a new name: names are
// never reused, also not after a removal. get gives fewer bytes than asked only at the end of the
// object. remove of a missing object is fine; what was removed does not come back. Nothing lists.
// Errors: not_found, already_exists, invalid_argument (name, lengths), out_of_space, unavailable,
// deadline_exceeded, cancelled, io_error.
//
// A completion runs exactly once, never inside the call that started it. Content is shared and
// results are owned by the store until they are handed over, so a call may end early (deadline,
// cancel) while the device still works. Thread model: one owner thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "io/callback.h"
#include "util/bytes.h"
#include "util/result.h"

namespace kiln::objects {

inline constexpr std::size_t kMaxNameBytes = 120;
// Several times the target of a pack; bounds what one get may make us hold.
inline constexpr std::uint64_t kMaxObjectBytes = 64ULL << 20;

// 1-120 of a-z 0-9 '-', not starting with '-'.
bool valid_name(std::string_view name);

using SharedBytes = std::shared_ptr<const Bytes>;

struct CallOptions {
    std::chrono::nanoseconds timeout = std::chrono::seconds(60);
};

// What put, get and remove return. It need not be kept.
class Call {
  public:
    virtual ~Call() = default;
    // Completes it with `cancelled`, if it has not completed; the outcome of a put or remove is
    // then unknown.
    virtual void cancel() = 0;
};
using CallPtr = std::shared_ptr<Call>;

struct Tail {
    std::uint64_t object_bytes = 0;
    Bytes bytes;
};

class ObjectStore {
  public:
    virtual ~ObjectStore() = default;
    virtual CallPtr put(std::string name, SharedBytes content, CallOptions options,
                        io::Callback<Status> done) = 0;
    virtual CallPtr get(std::string name, std::uint64_t offset, std::uint64_t length,
                        CallOptions options, io::Callback<Result<Bytes>> done) = 0;
    // The last `length` bytes, or all of a shorter object.
    virtual CallPtr get_tail(std::string name, std::uint64_t length, CallOptions options,
                             io::Callback<Result<Tail>> done) = 0;
    virtual CallPtr remove(std::string name, CallOptions options, io::Callback<Status> done) = 0;
    // It was removed by another store over the same objects: nothing of it is kept here.
    virtual void forget(const std::string& name) = 0;
};

}  // namespace kiln::objects
