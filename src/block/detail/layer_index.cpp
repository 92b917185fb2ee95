// SPDX-License-Identifier: Apache-2.0
#include "block/detail/layer_index.h"

#include <algorithm>

namespace kiln::block {
namespace {

// Of pieces that share a slot, every so many asked for takes it; the others ask the layers. So
// reads all over a volume that is larger than the index cost little more than without it.
constexpr std::uint32_t kTakesSlot = 8;

}  // namespace

LayerIndex::Found ask_layers(const LayerIndex::Layers& layers, std::size_t from,
                             std::uint64_t first, std::uint64_t limit) {
    for (; from < layers.size(); ++from) {
        const BlockRun run = layers[from]->presence(first, limit);
        limit = run.count;
        if (run.state != BlockState::absent) {
            return {run, run.state == BlockState::data ? layers[from].get() : nullptr};
        }
    }
    return {{BlockState::absent, limit}};
}

LayerIndex::Found LayerIndex::find(const Layers& layers, std::uint64_t first, std::uint64_t limit) {
    if (layers.size() <= asked_) {
        return ask_layers(layers, 0, first, limit);
    }
    Found found = find_in_piece(layers, first, limit);
    while (found.run.count < limit && (first + found.run.count) % kPieceBlocks == 0) {
        const Found more = find_in_piece(layers, first + found.run.count, limit - found.run.count);
        if (more.run.state != found.run.state || more.layer != found.layer) {
            break;
        }
        found.run.count += more.run.count;
    }
    return found;
}

LayerIndex::Found LayerIndex::find_in_piece(const Layers& layers, std::uint64_t first,
                                            std::uint64_t limit) {
    const std::uint64_t at = first % kPieceBlocks;
    limit = std::min(limit, kPieceBlocks - at);
    const Slot* slot = piece(layers, first / kPieceBlocks);
    if (slot == nullptr) {
        return ask_layers(layers, 0, first, limit);
    }
    Cell cell = slot->all;
    if (slot->cells) {
        const auto begin = slot->cells->begin() + static_cast<std::ptrdiff_t>(at);
        cell = *begin;
        const auto end = std::find_if(begin, begin + static_cast<std::ptrdiff_t>(limit),
                                      [cell](Cell other) { return other != cell; });
        limit = static_cast<std::uint64_t>(end - begin);
    }
    switch (cell) {
        case kAbsent:
            return ask_layers(layers, kMostLayers, first, limit);
        case kZero:
            return {{BlockState::zero, limit}};
        default:
            return {{BlockState::data, limit}, layers[cell].get()};
    }
}

// None: its slot is another one's for now.
const LayerIndex::Slot* LayerIndex::piece(const Layers& layers, std::uint64_t number) {
    if (slots_.empty()) {
        const auto largest = std::ranges::max_element(
            layers, {}, [](const std::shared_ptr<Layer>& layer) { return layer->blocks(); });
        const std::uint64_t pieces = (*largest)->blocks() / kPieceBlocks + 1;
        slots_.resize(std::min<std::uint64_t>(pieces, kMostPieces));
    }
    Slot& slot = slots_[number % slots_.size()];
    if (slot.number == number) {
        return &slot;
    }
    if (slot.number != kNoPiece && ++others_ % kTakesSlot != 0) {
        return nullptr;
    }
    fill(layers, number, slot);
    return &slot;
}

void LayerIndex::fill(const Layers& layers, std::uint64_t number, Slot& slot) {
    Piece cells;
    cells.fill(kAbsent);
    const std::uint64_t first = number * kPieceBlocks;
    std::uint64_t unknown = kPieceBlocks;
    for (std::size_t i = 0; i < std::min(layers.size(), kMostLayers) && unknown > 0; ++i) {
        for (std::uint64_t at = 0; at < kPieceBlocks;) {
            const BlockRun run = layers[i]->presence(first + at, kPieceBlocks - at);
            const auto cell = run.state == BlockState::data ? static_cast<Cell>(i) : kZero;
            for (std::uint64_t block = at;
                 run.state != BlockState::absent && block < at + run.count; ++block) {
                if (cells[block] == kAbsent) {
                    cells[block] = cell;
                    --unknown;
                }
            }
            at += run.count;
        }
    }
    slot.number = number;
    slot.all = cells[0];
    const bool alike = std::ranges::all_of(cells, [&](Cell cell) { return cell == slot.all; });
    slot.cells = alike ? nullptr : std::make_unique<Piece>(cells);
}

std::size_t LayerIndex::pieces() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(slots_, [](const Slot& slot) { return slot.number != kNoPiece; }));
}

}  // namespace kiln::block
