// SPDX-License-Identifier: Apache-2.0
// Streams: which reads of a volume follow each other, and what is worth reading ahead of them. Pure
// decision, no I/O.
//
// A read that begins where an earlier one ended is a hit; after two of them the stream runs, and a
// window is named: 1 MiB behind the reader at first. Each time the reader has used half of its
// window it is named the next one, up to twice as large, at most 8 MiB for all streams, which have
// equal shares. Reads of a running stream
// may come a little out of order. A new stream takes the place of one that does not run, or of the
// one read the longest ago; one that others have been read beside for long, or that was not read
// while another one began to run (a seek), is forgotten. Random reads never run.
//
// Offsets and lengths in bytes. Thread model: one owner thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace kiln::block {

struct ReadAheadLimits {
    std::uint64_t first_bytes = 1ULL << 20;  // the first window of a stream
    std::uint64_t most_bytes = 8ULL << 20;   // ahead of all streams of a volume together
    std::uint64_t slack_bytes = 512U
                                << 10;  // reads of a running stream may be so much out of order
    std::size_t streams = 4;
    unsigned hits = 2;
    std::uint64_t patience = 16;  // reads of others until a stream is forgotten
};

class Streams {
  public:
    struct Window {
        std::uint64_t stream = 0;
        std::uint64_t offset = 0;
        std::uint64_t length = 0;
        friend bool operator==(const Window&, const Window&) = default;
    };
    explicit Streams(const ReadAheadLimits& limits) : limits_(limits) {}

    // A read. What is to be read ahead for it, never behind `end`: nothing, most of the time.
    std::optional<Window> note(std::uint64_t offset, std::uint64_t length, std::uint64_t end);
    // Whether what was named for the stream is still wanted.
    bool runs(std::uint64_t stream) const;
    // All begins anew.
    void forget() { streams_.clear(); }

  private:
    struct Stream {
        std::uint64_t id = 0;
        std::uint64_t next = 0;    // behind what was read
        std::uint64_t named = 0;   // behind what was named
        std::uint64_t window = 0;  // 0: it does not run
        unsigned hits = 0;
        std::uint64_t begun = 0;  // the number of its first read
        std::uint64_t last = 0;   // and of its last one
        std::uint64_t ahead() const { return named > next ? named - next : 0; }
    };
    Stream* find(std::uint64_t offset);
    void begin(std::uint64_t next);
    std::uint64_t room_for(const Stream& stream) const;
    std::optional<Window> next_window(Stream& stream, std::uint64_t end);

    const ReadAheadLimits limits_;
    std::vector<Stream> streams_;
    std::uint64_t reads_ = 0;
    std::uint64_t ids_ = 0;
};

}  // namespace kiln::block
