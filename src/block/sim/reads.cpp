// SPDX-License-Identifier: Apache-2.0
// Reads that race with changes and cuts: one, and streams of them.
#include "block/sim/history.h"

namespace kiln::block::sim {

// Concurrent with changes and cuts: each cell is one that was there at some time of the read.
bool History::racing_read() {
    const VolumeRef volume = pick(State::open);
    if (!volume) {
        return false;
    }
    const auto [first, count] = random_cells(*volume, random_.one_in(2));
    read_cells(volume, first, count, [] {});
    return true;
}

// Reads that follow each other, so that the engine reads ahead of them.
bool History::stream() {
    const VolumeRef volume = pick(State::open);
    if (!volume) {
        return false;
    }
    stream_on(volume, random_cells(*volume, true).first, random_.between(4, 24));
    return true;
}

void History::stream_on(const VolumeRef& volume, std::uint64_t cell, std::uint64_t left) {
    const std::uint64_t cells = volume->state == State::open && !volume->planned
                                    ? process_->volume(volume->id).size_bytes() / kCellBytes
                                    : 0;
    if (left == 0 || cell >= cells) {
        return;
    }
    const std::uint64_t count =
        std::min(cells - cell, random_.between(1, random_.one_in(4) ? 40 : 16));
    read_cells(volume, cell, count, mine([this, volume, cell, count, left] {
                   stream_on(volume, cell + count, left - 1);
               }));
}

void History::read_cells(const VolumeRef& volume, std::uint64_t first, std::uint64_t count,
                         io::Callback<> then) {
    auto buffer = std::make_shared<io::Buffer>(count * kCellBytes);
    const auto window = volume->oracle->watch(first, count);
    const std::uint64_t begun = volume->oracle->moment();
    const MutableByteView into = buffer->mutable_view();
    process_->volume(volume->id)
        .read(first * kCellBytes, into,
              mine([this, volume, buffer, window, begun,
                    then = std::move(then)](Status status) mutable {
                  if (!status) {
                      judge("read " + volume->id.str(), status.error());
                      return;
                  }
                  const std::string wrong =
                      volume->doubtful
                          ? implausible(volume->lineage, window->first(), buffer->view())
                          : window->check(buffer->view(), begun, volume->oracle->moment());
                  if (!wrong.empty()) {
                      fail("racing read of " + volume->id.str() + ": " + wrong);
                  }
                  ++report_.counts["racing reads judged"];
                  then();
              }));
}

void History::read_in_order(Volume& volume, MutableByteView into, std::uint64_t offset, Done done) {
    const std::size_t bytes =
        std::min<std::size_t>(into.size(), random_.between(1, 4) * kBlockBytes);
    volume.read(
        offset, into.first(bytes),
        mine([this, &volume, into, offset, bytes, done = std::move(done)](Status status) mutable {
            if (!status || bytes == into.size()) {
                done(std::move(status));
                return;
            }
            read_in_order(volume, into.subspan(bytes), offset + bytes, std::move(done));
        }));
}

}  // namespace kiln::block::sim
