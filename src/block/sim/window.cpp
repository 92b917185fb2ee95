// SPDX-License-Identifier: Apache-2.0
#include "block/sim/window.h"

#include <algorithm>

#include "util/check.h"
#include "util/encoding.h"

namespace kiln::block::sim {
namespace {

// The first word says what it is; the others are as far apart as words can be. In the order of this
// machine's bytes: cells go nowhere else.
std::uint64_t first_word(std::uint64_t cell, Value value) {
    return value == 0 ? 0 : cell << 32 | value;
}

std::uint64_t load_word(const std::uint8_t* at) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof(word));
    return word;
}

void fill_cell(std::uint8_t* at, std::uint64_t cell, Value value) {
    std::uint64_t words[kCellBytes / 8] = {};
    for (std::uint64_t i = 0; value != 0 && i < std::size(words); ++i) {
        words[i] = first_word(cell, value) + i * 0x9e3779b97f4a7c15ULL;
    }
    std::memcpy(at, words, sizeof(words));
}

}  // namespace

void fill_cells(MutableByteView bytes, std::uint64_t first_cell, Value value) {
    INVARIANT(bytes.size() % kCellBytes == 0);
    for (std::size_t at = 0; at < bytes.size(); at += kCellBytes) {
        fill_cell(bytes.data() + at, first_cell + at / kCellBytes, value);
    }
}

bool cell_holds(const std::uint8_t* at, std::uint64_t cell, Value value) {
    if (load_word(at) != first_word(cell, value)) {
        return false;
    }
    std::uint8_t expected[kCellBytes];
    fill_cell(expected, cell, value);
    return std::memcmp(at, expected, kCellBytes) == 0;
}

std::optional<Value> cell_value(const std::uint8_t* at, std::uint64_t cell) {
    const auto value = static_cast<Value>(load_word(at));
    return cell_holds(at, cell, value) ? std::optional(value) : std::nullopt;
}

std::string describe_cell(std::uint64_t cell, ByteView bytes) {
    std::string text = "block " + std::to_string(cell * kCellBytes / 4096) + " byte " +
                       std::to_string(cell * kCellBytes % 4096) + " (cell " + std::to_string(cell) +
                       ") holds ";
    const std::uint64_t word = load_word(bytes.data());
    const auto value = static_cast<Value>(word);
    const std::uint64_t place = word >> 32;
    if (cell_holds(bytes.data(), place, value)) {
        return text + "value " + std::to_string(value) + " of cell " + std::to_string(place);
    }
    return text + "bytes never written: " + hex_encode(bytes.first(16));
}

// --- Instants ---

void Instants::add(std::uint64_t from, std::uint64_t until) {
    if (from >= until) {
        return;
    }
    spans_.push_back({from, until});
    std::ranges::sort(spans_, {}, &Span::from);
    std::vector<Span> merged;
    for (const Span& span : spans_) {
        if (!merged.empty() && span.from <= merged.back().until) {
            merged.back().until = std::max(merged.back().until, span.until);
        } else {
            merged.push_back(span);
        }
    }
    spans_ = std::move(merged);
}

Instants Instants::operator&(const Instants& other) const {
    Instants both;
    for (const Span& a : spans_) {
        for (const Span& b : other.spans_) {
            both.add(std::max(a.from, b.from), std::min(a.until, b.until));
        }
    }
    return both;
}

// --- Window ---

void Window::begin(std::uint32_t change, std::uint64_t first_cell, std::uint64_t count, Value value,
                   std::uint64_t now) {
    const std::uint64_t from = std::max(first_cell, first_);
    const std::uint64_t until = std::min(first_cell + count, first_ + cells_.size());
    for (std::uint64_t cell = from; cell < until; ++cell) {
        cells_[cell - first_].push_back({value, change, now, 0, false});
    }
}

void Window::end(std::uint32_t change, std::uint64_t first_cell, std::uint64_t count, bool ok,
                 std::uint64_t now) {
    const std::uint64_t from = std::max(first_cell, first_);
    const std::uint64_t until = std::min(first_cell + count, first_ + cells_.size());
    for (std::uint64_t cell = from; cell < until; ++cell) {
        for (Seen& seen : cells_[cell - first_]) {
            if (seen.change == change && seen.ended == 0) {
                seen.ended = now;
                seen.ok = ok;
            }
        }
    }
}

Instants Window::when(std::uint64_t cell, Value value) const {
    Instants found;
    const std::vector<Seen>& versions = cells_[cell - first_];
    for (const Seen& v : versions) {
        if (v.value != value) {
            continue;
        }
        std::uint64_t until = Instants::kForEver;
        for (const Seen& w : versions) {
            if (w.ok && v.ended != 0 && w.begun > v.ended) {
                until = std::min(until, w.ended);
            }
        }
        found.add(v.begun, until);
    }
    return found;
}

std::string Window::check(ByteView bytes, std::uint64_t from, std::uint64_t until) const {
    const Instants during = Instants::between(from, until + 1);
    for (std::uint64_t i = 0; i < cells_.size(); ++i) {
        const ByteView at = bytes.subspan(i * kCellBytes, kCellBytes);
        const auto value = cell_value(at.data(), first_ + i);
        if (!value || (when(first_ + i, *value) & during).empty()) {
            return describe_cell(first_ + i, at) + versions(first_ + i) + ", between " +
                   std::to_string(from) + " and " + std::to_string(until);
        }
    }
    return {};
}

std::string Window::versions(std::uint64_t cell) const {
    std::string text = "; versions:";
    for (const Seen& v : cells_[cell - first_]) {
        text += " " + std::to_string(v.value) + "[" + std::to_string(v.begun) + "-" +
                (v.ended == 0 ? "" : std::to_string(v.ended)) + (v.ok ? "]" : "?]");
    }
    return text;
}

// --- CutTruth ---

void CutTruth::answered() {
    if (!answered_) {
        answered_ = true;
        instants_ = Instants::between(requested_, moments_.next() + 1);
    }
}

std::string CutTruth::judge(std::size_t member, ByteView bytes) {
    INVARIANT(answered_);
    const Window& window = *members_[member];
    for (std::uint64_t i = 0; i < window.cells(); ++i) {
        const ByteView at = bytes.subspan(i * kCellBytes, kCellBytes);
        const auto value = cell_value(at.data(), i);
        if (!value) {
            return describe_cell(i, at) + window.versions(i);
        }
        Instants left = window.when(i, *value) & instants_;
        if (left.empty()) {
            return "no instant of the cut: " + describe_cell(i, at) + window.versions(i);
        }
        instants_ = std::move(left);
    }
    return {};
}

}  // namespace kiln::block::sim
