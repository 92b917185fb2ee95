// SPDX-License-Identifier: Apache-2.0
// LayerIndex: which of the sealed layers of a stack a block comes from, a byte for each block, so
// that a read does not ask one layer after the other. It is made at need, 1 MiB of the volume at a
// time, which costs about as much as one read that asks all of them.
//
// It belongs to one stack and is true for as long as that is: what sealed layers say of a block
// does not change, and another stack begins with an empty index. At most kMostPieces pieces are
// kept, 4 MiB in all besides their table; they go with the stack. Not for layers that are written
// to. Thread model: one owner thread.
#pragma once

#include <array>
#include <limits>
#include <memory>
#include <vector>

#include "block/geometry.h"
#include "block/layer.h"

namespace kiln::block {

class LayerIndex {
  public:
    using Layers = std::vector<std::shared_ptr<Layer>>;
    static constexpr std::uint64_t kPieceBlocks = 256;
    static constexpr std::size_t kMostPieces = 16384;

    // So many layers are asked, and nothing is kept.
    explicit LayerIndex(std::size_t asked = Geometry{}.layers_asked) : asked_(asked) {}
    // Empty: a copied or moved stack may get other layers.
    LayerIndex(const LayerIndex& other) : asked_(other.asked_) {}
    LayerIndex& operator=(const LayerIndex& other) {
        slots_.clear();
        asked_ = other.asked_;
        return *this;
    }

    struct Found {
        BlockRun run;
        Layer* layer = nullptr;  // of data
    };
    // The longest run from `first` that comes from one layer, is zero, or is absent from all; at
    // most `limit` blocks. The layers are the same at every call, newest first.
    Found find(const Layers& layers, std::uint64_t first, std::uint64_t limit);

    std::size_t pieces() const;

  private:
    // The number of the layer that has data, counted from the top, or one of these.
    using Cell = std::uint8_t;
    static constexpr Cell kAbsent = 255;
    static constexpr Cell kZero = 254;
    static constexpr std::size_t kMostLayers = 254;
    using Piece = std::array<Cell, kPieceBlocks>;

    static constexpr std::uint64_t kNoPiece = std::numeric_limits<std::uint64_t>::max();
    struct Slot {
        std::uint64_t number = kNoPiece;
        Cell all = kAbsent;              // of every block, where there are no cells
        std::unique_ptr<Piece> cells{};  // where blocks differ
    };

    Found find_in_piece(const Layers& layers, std::uint64_t first, std::uint64_t limit);
    const Slot* piece(const Layers& layers, std::uint64_t number);
    static void fill(const Layers& layers, std::uint64_t number, Slot& slot);

    std::size_t asked_;
    std::vector<Slot> slots_;
    std::uint32_t others_ = 0;  // pieces asked for whose slot another one has
};

// The same by asking the layers from number `from` on.
LayerIndex::Found ask_layers(const LayerIndex::Layers& layers, std::size_t from,
                             std::uint64_t first, std::uint64_t limit);

}  // namespace kiln::block
