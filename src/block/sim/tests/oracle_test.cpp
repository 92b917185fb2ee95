// SPDX-License-Identifier: Apache-2.0
// The judge is judged: what the oracle accepts and what it refuses.
#include "block/sim/oracle.h"

#include <doctest/doctest.h>

using namespace kiln;
using namespace kiln::block::sim;

namespace {

Bytes cells(std::vector<Value> values) {
    Bytes bytes(values.size() * kCellBytes);
    for (std::size_t i = 0; i < values.size(); ++i) {
        fill_cells(MutableByteView(bytes).subspan(i * kCellBytes, kCellBytes), i, values[i]);
    }
    return bytes;
}

bool legal(const Oracle& oracle, std::vector<Value> values) {
    Oracle copy = oracle;
    return copy.check(0, cells(std::move(values)), false).empty();
}

Moments moments;

Oracle written(bool flushed) {
    Oracle oracle(moments, {1, 1});
    oracle.end(oracle.begin(0, 2, 2), true, false);
    if (flushed) {
        oracle.flushed(oracle.moment());
    }
    return oracle;
}

}  // namespace

TEST_CASE("an acknowledged write hides the old bytes, and a kill does not bring them back") {
    Oracle oracle = written(false);
    CHECK(legal(oracle, {2, 2}));
    CHECK(!legal(oracle, {1, 2}));
    oracle.process_ended();
    CHECK(!legal(oracle, {1, 2}));
}

TEST_CASE("a loss of power brings back what no flush covered, cell by cell, and nothing else") {
    Oracle oracle = written(false);
    oracle.power_lost();
    CHECK(legal(oracle, {1, 2}));
    CHECK(legal(oracle, {2, 1}));
    CHECK(!legal(oracle, {0, 2}));
    Oracle flushed = written(true);
    flushed.power_lost();
    CHECK(legal(flushed, {2, 2}));
    CHECK(!legal(flushed, {1, 2}));
}

TEST_CASE("a flush does not cover a write that was in flight when it began") {
    Oracle oracle(moments, {1});
    const auto change = oracle.begin(0, 1, 2);
    const auto begun = oracle.moment();
    oracle.end(change, true, false);
    oracle.flushed(begun);
    oracle.power_lost();
    CHECK(legal(oracle, {1}));
    CHECK(legal(oracle, {2}));
}

TEST_CASE("a durable write needs no flush; one that failed may be there or not") {
    Oracle oracle(moments, {1, 1});
    oracle.end(oracle.begin(0, 1, 2), true, true);
    oracle.end(oracle.begin(1, 1, 3), false, false);
    CHECK(legal(oracle, {2, 3}));
    CHECK(legal(oracle, {2, 1}));
    oracle.power_lost();
    CHECK(!legal(oracle, {1, 1}));
}

TEST_CASE("what was seen in peace stays; after a loss of power it is on the medium") {
    Oracle oracle = written(false);
    oracle.power_lost();
    CHECK(oracle.check(0, cells({1, 2}), true).empty());
    CHECK(!legal(oracle, {2, 2}));
    oracle.power_lost();
    CHECK(legal(oracle, {1, 2}));
    CHECK(!legal(oracle, {2, 2}));
    CHECK(oracle.settled() == std::vector<Value>{1, 2});
}

TEST_CASE("misplaced and mixed bytes are told from legal ones") {
    Oracle oracle(moments, {1, 1});
    Bytes bytes = cells({1, 1});
    std::copy_n(bytes.begin(), kCellBytes, bytes.begin() + kCellBytes);
    CHECK(oracle.check(0, bytes, false).find("value 1 of cell 0") != std::string::npos);
    bytes = cells({1, 1});
    bytes[70] ^= 1;
    CHECK(oracle.check(0, bytes, false).find("never written") != std::string::npos);
}
