// SPDX-License-Identifier: Apache-2.0
// Cells, moments, and what may be read when.
//
// A volume is a row of cells of 256 bytes. Everything that is begun or ended has a moment of its
// own; "at moment t" means just after it. A Window remembers, for some cells of a volume, every
// version that could be read from the time it was opened, and tells for a value that was read at
// which moments it was legal there: a version is legal from its beginning, until another one that
// began after it had ended is acknowledged.
//
// CutTruth judges the members of a cut: there must be one moment between the request and the answer
// at which everything that was read of any member was legal. That one moment is the whole of D27:
// what was acknowledged before the request is in, what began after the answer is not, and a write
// that began after another one's acknowledgement is not in without the other. Thread model: one
// owner thread.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "util/bytes.h"

namespace kiln::block::sim {

inline constexpr std::uint64_t kCellBytes = 256;

using Value = std::uint32_t;  // 0: zeros

// The bytes of cells. They say where they belong, so that misplaced ones are found.
void fill_cells(MutableByteView bytes, std::uint64_t first_cell, Value value);
bool cell_holds(const std::uint8_t* at, std::uint64_t cell, Value value);
// Nothing when they are the bytes of no value, or of another cell.
std::optional<Value> cell_value(const std::uint8_t* at, std::uint64_t cell);
std::string describe_cell(std::uint64_t cell, ByteView bytes);

class Moments {
  public:
    std::uint64_t now() const { return now_; }
    std::uint64_t next() { return ++now_; }

  private:
    std::uint64_t now_ = 1;
};

// A set of moments: ascending, disjoint, [from, until).
class Instants {
  public:
    static constexpr std::uint64_t kForEver = std::numeric_limits<std::uint64_t>::max();
    static Instants all() { return Instants({{0, kForEver}}); }
    static Instants between(std::uint64_t from, std::uint64_t until) {
        return Instants({{from, until}});
    }
    bool empty() const { return spans_.empty(); }
    void add(std::uint64_t from, std::uint64_t until);
    Instants operator&(const Instants& other) const;

  private:
    struct Span {
        std::uint64_t from;
        std::uint64_t until;
    };
    explicit Instants(std::vector<Span> spans) : spans_(std::move(spans)) {}
    friend class Window;
    Instants() = default;
    std::vector<Span> spans_;
};

class Window {
  public:
    struct Seen {
        Value value = 0;
        std::uint32_t change = 0;
        std::uint64_t begun = 0;
        std::uint64_t ended = 0;  // 0: in flight
        bool ok = false;
    };
    Window(std::uint64_t first_cell, std::uint64_t count) : first_(first_cell), cells_(count) {}

    std::uint64_t first() const { return first_; }
    std::uint64_t cells() const { return cells_.size(); }
    void add(std::uint64_t cell, const Seen& seen) { cells_[cell - first_].push_back(seen); }
    void begin(std::uint32_t change, std::uint64_t first_cell, std::uint64_t count, Value value,
               std::uint64_t now);
    void end(std::uint32_t change, std::uint64_t first_cell, std::uint64_t count, bool ok,
             std::uint64_t now);
    // When the cell could be read as this value.
    Instants when(std::uint64_t cell, Value value) const;
    // What was read of all cells between two moments, each for itself; empty if it is legal.
    std::string check(ByteView bytes, std::uint64_t from, std::uint64_t until) const;
    std::string versions(std::uint64_t cell) const;

  private:
    std::uint64_t first_;
    std::vector<std::vector<Seen>> cells_;
};

class CutTruth {
  public:
    explicit CutTruth(Moments& moments) : moments_(moments), requested_(moments.next()) {}

    std::uint64_t requested() const { return requested_; }
    void add(std::shared_ptr<Window> member) { members_.push_back(std::move(member)); }
    // The cut was answered, or the process ended.
    void answered();
    // All of a member's cells. What is legal narrows what else is.
    std::string judge(std::size_t member, ByteView bytes);

  private:
    Moments& moments_;
    const std::uint64_t requested_;
    std::vector<std::shared_ptr<Window>> members_;
    Instants instants_ = Instants::all();
    bool answered_ = false;
};

}  // namespace kiln::block::sim
