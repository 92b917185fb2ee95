// SPDX-License-Identifier: Apache-2.0
// LayerOpener: the steps from names to an open LocalLayer: creation, superblock, map pages,
// journal, replay, boot record. Keeps itself alive until it has answered, and closes what it opened
// when it fails. Thread model: one owner thread.
#pragma once

#include "block/local_layer.h"
#include "io/buffer.h"

namespace kiln::block {

class LayerOpener : public std::enable_shared_from_this<LayerOpener> {
  public:
    using Opened = io::Callback<Result<std::shared_ptr<Layer>>>;
    LayerOpener(const LayerContext& context, LayerOpen open, Opened done)
        : context_(context), open_(std::move(open)), done_(std::move(done)) {}

    void start();

  private:
    using Value = Result<std::uint64_t>;
    // Submits; `next` runs with the value, or the whole opening fails.
    void step(io::Op op, io::Callback<std::uint64_t> next);
    void step_if_durable(io::Op op, io::Callback<std::uint64_t> next);
    void fail(Error error);

    void create_journal();
    void fill_journal(io::FileId file);
    void create_map();
    void publish_map();

    void open_map();
    void read_map();
    void read_pages();
    void open_journal();
    void check_length(std::uint64_t file_bytes);
    // The first `window` bytes of the ring from the head on.
    void read_journal(std::uint64_t window);
    Status check_superblock() const;
    Status check_journal() const;
    bool seal_in_buffer() const;
    void replay();
    void replayed(Replayed state);
    void restore(Replayed state);
    void settle(Replayed state);
    void clear_leftovers(Replayed state);
    void write_zeros(std::uint64_t position, std::uint64_t end, io::Callback<> then);
    void open_data_crcs(Replayed state);
    void finish(Replayed state, bool new_boot);

    const LayerContext& context_;
    const LayerOpen open_;
    Opened done_;
    bool created_ = false;
    io::FileId map_;
    io::FileId journal_;
    Superblock superblock_;
    std::optional<LoadedMap> map_pages_;
    std::unique_ptr<DataCrcs> crcs_;
    std::uint64_t ring_bytes_ = 0;
    Bytes bytes_;        // what is being written
    io::Buffer buffer_;  // what is being read
};

}  // namespace kiln::block
