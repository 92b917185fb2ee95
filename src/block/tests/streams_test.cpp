// SPDX-License-Identifier: Apache-2.0
// Which reads are streams, and what is named to be read ahead of them. KILN_SEED repeats a run.
#include "block/detail/streams.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

#include "block/tests/support.h"

using namespace kiln;
using namespace kiln::block;

namespace {

constexpr std::uint64_t kKib = 1024;
constexpr std::uint64_t kMib = 1024 * kKib;
constexpr std::uint64_t kEnd = 1024 * kMib;

// Reads of one size, one behind the other.
struct Reader {
    Streams& streams;
    std::uint64_t at;
    std::uint64_t bytes = 128 * kKib;
    std::uint64_t end = kEnd;
    std::optional<Streams::Window> next() {
        const std::uint64_t offset = at;
        at += bytes;
        return streams.note(offset, bytes, end);
    }
};

}  // namespace

TEST_CASE("the third read of a stream names its first window, and windows double up to a bound") {
    Streams streams{{}};
    Reader reader{streams, 5 * kMib};
    CHECK(!reader.next());
    CHECK(!reader.next());
    const auto first = reader.next();
    REQUIRE(first);
    CHECK(first->offset == reader.at);
    CHECK(first->length == kMib);
    CHECK(streams.runs(first->stream));
    std::uint64_t named = first->offset + first->length;
    std::vector<std::uint64_t> ahead;
    while (reader.at < 100 * kMib) {
        const auto window = reader.next();
        if (!window) {
            continue;
        }
        // Without a gap, and while there is half of the one before left.
        REQUIRE(window->offset == named);
        REQUIRE(named > reader.at);
        named = window->offset + window->length;
        ahead.push_back(named - reader.at);
    }
    REQUIRE(ahead.size() > 10);
    CHECK(ahead[0] == 2 * kMib);
    CHECK(ahead[1] == 4 * kMib);
    for (std::size_t i = 2; i < ahead.size(); ++i) {
        CHECK(ahead[i] == 8 * kMib);
    }
}

TEST_CASE("nothing is named behind the end") {
    Streams streams{{}};
    Reader reader{streams, 0, 64 * kKib, 3 * kMib};
    std::uint64_t named = 0;
    while (reader.at < reader.end) {
        if (const auto window = reader.next()) {
            named = window->offset + window->length;
            CHECK(named <= reader.end);
        }
    }
    CHECK(named == reader.end);
    // A stream of which nothing is left, and reads behind the end of what can be read ahead.
    Reader last{streams, 0, kMib, 3 * kMib};
    CHECK(!last.next());
    CHECK(!last.next());
    CHECK(!last.next());
    Reader behind{streams, 10 * kMib, kMib, 3 * kMib};
    for (int i = 0; i < 10; ++i) {
        CHECK(!behind.next());
    }
}

TEST_CASE("four streams that take turns run, and share the bound") {
    Streams streams{{}};
    std::vector<Reader> readers;
    for (std::uint64_t i = 0; i < 4; ++i) {
        readers.push_back({streams, i * 200 * kMib});
    }
    std::map<std::uint64_t, std::uint64_t> named;  // by reader
    std::uint64_t most = 0;
    for (int round = 0; round < 400; ++round) {
        std::uint64_t ahead = 0;
        for (std::size_t i = 0; i < readers.size(); ++i) {
            if (const auto window = readers[i].next()) {
                named[i] = window->offset + window->length;
            }
            ahead += named[i] > readers[i].at ? named[i] - readers[i].at : 0;
        }
        most = std::max(most, ahead);
    }
    CHECK(most <= 8 * kMib);
    CHECK(most >= 4 * kMib);
    for (std::size_t i = 0; i < readers.size(); ++i) {
        CHECK(named[i] + kMib > readers[i].at);  // each was served to the end
    }
}

TEST_CASE("a seek ends the stream, and the next one begins small") {
    Streams streams{{}};
    Reader reader{streams, 0};
    std::uint64_t old = 0;
    while (reader.at < 40 * kMib) {
        if (const auto window = reader.next()) {
            old = window->stream;
        }
    }
    reader.at = 500 * kMib;
    CHECK(!reader.next());
    CHECK(!reader.next());
    CHECK(streams.runs(old));
    const auto window = reader.next();
    REQUIRE(window);
    CHECK(window->offset == reader.at);
    CHECK(window->length == kMib);
    CHECK(!streams.runs(old));
    CHECK(streams.runs(window->stream));
}

TEST_CASE("reads of a running stream may change places, and random ones beside it end it") {
    const auto seed = block::testing::test_seed();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    Streams streams{{}};
    Reader reader{streams, 0};
    std::uint64_t named = 0;
    std::uint64_t stream = 0;
    const auto take = [&](const std::optional<Streams::Window>& window) {
        if (window) {
            CHECK((stream == 0 || stream == window->stream));
            stream = window->stream;
            named = window->offset + window->length;
        }
    };
    while (reader.at < kMib) {
        take(reader.next());
    }
    while (reader.at < 60 * kMib) {
        std::vector<std::uint64_t> four;
        for (int i = 0; i < 4; ++i, reader.at += reader.bytes) {
            four.push_back(reader.at);
        }
        std::shuffle(four.begin(), four.end(), random);
        for (const std::uint64_t offset : four) {
            take(streams.note(offset, reader.bytes, kEnd));
        }
    }
    CHECK(named > reader.at);
    CHECK(streams.runs(stream));
    for (int i = 0; i < 17; ++i) {
        CHECK(!streams.note(100 * kMib + static_cast<std::uint64_t>(i) * 10 * kMib, 4096, kEnd));
    }
    CHECK(!streams.runs(stream));
}

TEST_CASE("random reads are no stream") {
    const auto seed = block::testing::test_seed();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    Streams streams{{}};
    std::uint64_t begun = 0;
    for (int i = 0; i < 200'000; ++i) {
        begun += streams.note(random() % (kEnd / 4096) * 4096, 4096, kEnd) ? 1 : 0;
    }
    // By chance two reads in a row end where another begins once in 10^10 reads.
    CHECK(begun == 0);
    // Backwards is none, nor is one place over and over, nor with steps.
    for (std::uint64_t i = 1000; i > 0; --i) {
        CHECK(!streams.note(i * 4096, 4096, kEnd));
    }
    for (std::uint64_t i = 0; i < 1000; ++i) {
        CHECK(!streams.note(kMib, 4096, kEnd));
        CHECK(!streams.note(kMib + i * 8192, 4096, kEnd));
    }
}
