// SPDX-License-Identifier: Apache-2.0
// DataCrcMaker: reads a sealed layer's data once and writes its check sums beside it: the file
// under another name, then its name, then the bit in the superblock that says that there must be
// one. 1 MiB of data is read at a time, and one page of check sums is in memory.
//
// Does nothing for a layer that has them. A crash, an error or a cancellation leave the layer as it
// was, or with the file and without the bit: both are fine, and it may be made again. The layer is
// sealed, open for reading, and stays so until the completion, which comes exactly once and never
// inside the call; nobody else writes to its map, and one maker works on it at a time. Thread
// model: one owner thread.
#pragma once

#include <memory>
#include <optional>

#include "block/detail/layer_files.h"
#include "block/detail/superblock.h"
#include "io/buffer.h"

namespace kiln::block {

class DataCrcMaker : public std::enable_shared_from_this<DataCrcMaker> {
  public:
    static std::shared_ptr<DataCrcMaker> start(const LayerContext& context, LayerId id,
                                               std::shared_ptr<Layer> layer, Done done);
    // Completes with `cancelled` after what is in flight, unless the file is there already.
    void cancel() { cancelled_ = true; }

  private:
    DataCrcMaker(const LayerContext& context, LayerId id, std::shared_ptr<Layer> layer, Done done)
        : context_(context), id_(std::move(id)), layer_(std::move(layer)), done_(std::move(done)) {}
    // Submits; `next` runs with the value, or all of it fails.
    void step(io::Op op, io::Callback<std::uint64_t> next);
    void step_if_durable(io::Op op, io::Callback<std::uint64_t> next);
    void read_superblock();
    void superblock_read(std::uint64_t got);
    void create_file();
    void next_piece();
    void take_piece(BlockRange range);
    void write_page();
    void write_header();
    void publish();
    void put_in_force();
    void end(Status status);

    const LayerContext& context_;
    const LayerId id_;
    const std::shared_ptr<Layer> layer_;
    Done done_;
    bool cancelled_ = false;
    bool named_ = false;  // the file has a name that is to go when this fails
    io::FileId map_;
    io::FileId file_;
    Superblock superblock_;
    Bytes header_;
    io::Buffer data_;
    io::Buffer page_;
    std::optional<std::uint64_t> number_;  // of the page that is being filled
    std::uint64_t next_block_ = 0;
    Bytes superblock_bytes_;
};

}  // namespace kiln::block
