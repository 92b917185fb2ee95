// SPDX-License-Identifier: Apache-2.0
// Mutation that knows a format: numbers are set to values at the edges of what they may be, and
// parts (records, entries, pages) are repeated, removed, exchanged or changed within. A fuzz target
// names numbers and parts of an input, and has this as its LLVMFuzzerCustomMutator; the checksums
// it puts right itself before it tries what came out. Everything by chance of the seed. In builds
// without libFuzzer nothing calls it. Thread model: pure functions.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "util/bytes.h"

#if defined(KILN_LIBFUZZER)
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);
#endif

namespace kiln::testing {

struct FuzzSpan {
    std::size_t offset = 0;
    std::size_t bytes = 0;
};

struct FuzzLayout {
    std::vector<FuzzSpan> numbers;  // little-endian, 1 to 8 bytes
    std::vector<FuzzSpan> parts;    // disjoint, ascending
};

class StructuredMutation {
  public:
    StructuredMutation(std::uint8_t* data, std::size_t size, std::size_t max_size,
                       std::uint32_t seed)
        : data_(data), size_(size), max_size_(max_size), state_(seed) {}

    std::size_t run(FuzzLayout layout) {
        const auto outside = [this](const FuzzSpan& span) {
            return span.bytes == 0 || span.offset > size_ || span.bytes > size_ - span.offset;
        };
        std::erase_if(layout.numbers, outside);
        std::erase_if(layout.parts, outside);
        const std::uint64_t kind = below(10);
        if (kind < 4 && !layout.numbers.empty()) {
            set_number(layout.numbers[below(layout.numbers.size())]);
        } else if (kind < 5 && layout.numbers.size() > 1) {
            copy_number(layout.numbers);
        } else if (kind < 8 && !layout.parts.empty()) {
            change_parts(layout.parts);
        } else {
            any();
        }
        return size_;
    }

  private:
    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15ULL;
        std::uint64_t z = (state_ ^ (state_ >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }

    void any() {
#if defined(KILN_LIBFUZZER)
        size_ = LLVMFuzzerMutate(data_, size_, max_size_);
#endif
    }
    std::uint64_t get(FuzzSpan span) const {
        std::uint64_t value = 0;
        std::memcpy(&value, data_ + span.offset, std::min<std::size_t>(span.bytes, 8));
        return value;
    }
    void put(FuzzSpan span, std::uint64_t value) {
        std::memcpy(data_ + span.offset, &value, std::min<std::size_t>(span.bytes, 8));
    }
    void set_number(FuzzSpan span) {
        const std::uint64_t old = get(span);
        const std::uint64_t power = 1ULL << below(64);
        const std::uint64_t values[] = {
            0,           1,         ~0ULL,     old + 1,        old - 1,
            power,       power - 1, power + 1, old ^ power,    old + power,
            old - power, size_,     size_ - 1, below(1 << 10), next()};
        put(span, values[below(std::size(values))]);
    }
    void copy_number(const std::vector<FuzzSpan>& numbers) {
        put(numbers[below(numbers.size())], get(numbers[below(numbers.size())]));
    }
    void change_parts(const std::vector<FuzzSpan>& parts) {
        const FuzzSpan one = parts[below(parts.size())];
        const FuzzSpan other = parts[below(parts.size())];
        const auto begin = [this](FuzzSpan span) { return data_ + span.offset; };
        switch (below(4)) {
            case 0:  // once more
                if (one.bytes <= max_size_ - size_) {
                    const Bytes copy(begin(one), begin(one) + one.bytes);
                    std::memmove(begin(other) + copy.size(), begin(other), size_ - other.offset);
                    std::copy(copy.begin(), copy.end(), begin(other));
                    size_ += copy.size();
                }
                break;
            case 1:  // gone
                std::memmove(begin(one), begin(one) + one.bytes, size_ - one.offset - one.bytes);
                size_ -= one.bytes;
                break;
            case 2: {  // over another
                const std::size_t bytes = std::min(one.bytes, other.bytes);
                const Bytes copy(begin(one), begin(one) + bytes);
                std::copy(copy.begin(), copy.end(), begin(other));
                break;
            }
            default:  // a byte of it
                data_[one.offset + below(one.bytes)] ^= static_cast<std::uint8_t>(1 + below(255));
        }
    }

    std::uint8_t* data_;
    std::size_t size_;
    std::size_t max_size_;
    std::uint64_t state_;
};

// Numbers of one width, side by side.
inline void add_numbers(FuzzLayout& layout, std::size_t offset, std::size_t bytes,
                        std::size_t count = 1) {
    for (std::size_t i = 0; i < count; ++i) {
        layout.numbers.push_back({offset + i * bytes, bytes});
    }
}

// A layout as the program fuzzers of all formats ask for it: `layout(ByteView)` names what is
// where.
template <class Layout>
std::size_t mutate_structured(std::uint8_t* data, std::size_t size, std::size_t max_size,
                              unsigned seed, Layout layout) {
    StructuredMutation mutation(data, size, max_size, seed);
    return mutation.run(layout(ByteView(data, size)));
}

}  // namespace kiln::testing
