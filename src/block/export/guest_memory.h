// SPDX-License-Identifier: Apache-2.0
// GuestMemory: the memory of a guest as its front end shared it, by guest and by user address.
// Immutable; whoever works on a part of it holds it, so that it stays mapped.
//
// Whatever lies in it changes at any moment. Numbers from it are copied once, by read_shared() or
// load_shared(), and then checked; nothing is looked at twice.
//
// Files that can shrink are refused: to touch what lies behind their end would end us (SIGBUS).
// Those of QEMU's memory-backend-memfd are sealed against it. The same for huge pages, which may
// run out when they are touched.
#pragma once

#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

#include "block/export/vhost_protocol.h"
#include "util/check.h"
#include "util/fs.h"

namespace kiln::block::vhost {

// What a descriptor of shared memory maps; unmapped at the end. One owner.
class SharedMapping {
  public:
    SharedMapping() = default;
    SharedMapping(SharedMapping&& other) noexcept
        : start_(std::exchange(other.start_, nullptr)),
          mapped_(std::exchange(other.mapped_, 0)),
          view_(std::exchange(other.view_, {})) {}
    SharedMapping& operator=(SharedMapping&& other) noexcept {
        std::swap(start_, other.start_);
        std::swap(mapped_, other.mapped_);
        std::swap(view_, other.view_);
        return *this;
    }
    ~SharedMapping();
    // A range of a file that is sealed against shrinking. invalid_argument when it is not, or does
    // not have the range.
    static Result<SharedMapping> map(int descriptor, std::uint64_t offset, std::uint64_t bytes);
    MutableByteView view() const { return view_; }

  private:
    void* start_ = nullptr;
    std::size_t mapped_ = 0;
    MutableByteView view_;
};

class GuestMemory {
  public:
    struct Region {
        std::uint64_t guest_address = 0;
        std::uint64_t user_address = 0;
        MutableByteView bytes;
    };
    static Result<std::shared_ptr<const GuestMemory>> map(const MemoryTable& table,
                                                          const std::vector<UniqueFd>& files);
    // Over memory of the caller's.
    explicit GuestMemory(std::vector<Region> regions) : regions_(std::move(regions)) {}

    // What is there from a guest address on, at most so many bytes; less where the region ends,
    // nothing where there is none.
    MutableByteView at(std::uint64_t guest_address, std::uint64_t bytes) const;
    // All the bytes at a user address; nothing unless one region has them.
    MutableByteView at_user(std::uint64_t user_address, std::uint64_t bytes) const;

  private:
    std::vector<Region> regions_;
    std::vector<SharedMapping> mappings_;
};

// One look at shared bytes: the compiler must not look again later.
inline void read_shared(void* to, const std::uint8_t* from, std::size_t bytes) {
    std::memcpy(to, from, bytes);
    std::atomic_signal_fence(std::memory_order_seq_cst);
}
// Aligned numbers, in order with the accesses around them.
template <class T>
T load_shared(const std::uint8_t* at) {
    return __atomic_load_n(reinterpret_cast<const T*>(at), __ATOMIC_ACQUIRE);
}
template <class T>
void store_shared(std::uint8_t* at, T value) {
    __atomic_store_n(reinterpret_cast<T*>(at), value, __ATOMIC_RELEASE);
}

}  // namespace kiln::block::vhost
