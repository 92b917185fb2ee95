// SPDX-License-Identifier: Apache-2.0
// ReadAhead: has chunks read and decoded before a volume's sequential readers ask for them, where
// its bytes come from the tree. What is worth it Streams decides; what layers above the tree have
// is left out. At most a few leaves are under way at a time, behind what readers want
// (ChunkStore); what was named for a stream that was left meanwhile is not begun. Where there is
// not room in the cache for all (AheadMark), it begins anew with the first window.
//
// Errors are dropped: whoever reads those bytes is told. It keeps no stack, so it holds no layer.
// Thread model: one owner thread. Destroyed when it is idle.
#pragma once

#include <deque>

#include "block/detail/stack.h"
#include "block/detail/streams.h"

namespace kiln::block {

class ReadAhead {
  public:
    explicit ReadAhead(const ReadAheadLimits& limits) : streams_(limits) {}
    ~ReadAhead();

    // A read of the volume, which has `size_bytes`. To be called behind the reading itself.
    void note(const Stack& stack, std::uint64_t offset, std::uint64_t length,
              std::uint64_t size_bytes);

    bool idle() const { return in_flight_ == 0; }
    // Begins nothing more; `ended` when what is under way is over. Only while it is not idle.
    void stop(io::Callback<> ended);

  private:
    // In one leaf.
    struct Piece {
        std::uint64_t stream;
        std::uint64_t offset;
        std::uint64_t length;
    };
    void begin_anew();
    void plan(const Stack& stack, const Streams::Window& window);
    void add(std::uint64_t stream, std::uint64_t begin, std::uint64_t end);
    void pump();

    Streams streams_;
    std::shared_ptr<TreeReader> base_;
    AheadMarkPtr mark_ = std::make_shared<AheadMark>();
    std::deque<Piece> pieces_;
    std::size_t in_flight_ = 0;
    bool stopped_ = false;
    io::Callback<> ended_;
};

}  // namespace kiln::block
