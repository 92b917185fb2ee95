// SPDX-License-Identifier: Apache-2.0
// DataCrcs: the check sums of a sealed layer's data as its reads need them: pages are read when
// they are asked for, and a bounded number is kept (limits.h).
//
// Errors: data_loss for a file that is not what it must be, and for data that does not have its
// check sum; not_found only from open(). What failed is tried again by the next call. Destroyed
// after close() completed, or when it was never used. Thread model: one owner thread; completions
// may run inside the call.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "block/detail/data_crc_format.h"
#include "block/detail/layer_files.h"
#include "block/detail/superblock.h"
#include "io/buffer.h"

namespace kiln::block {

// Whose data a layer's check sums must be of.
DataCrcHeader data_crcs_of(const Superblock& superblock);

class DataCrcs {
  public:
    using PageRef = std::shared_ptr<const io::Buffer>;
    // The pages that speak for a range, in order.
    using Pages = std::vector<PageRef>;

    // `expected`: whose data it must be.
    DataCrcs(const LayerContext& context, LayerId layer, DataCrcHeader expected)
        : context_(context), layer_(std::move(layer)), expected_(std::move(expected)) {}

    // Opens the file and looks at its header. fetch() does so by itself.
    void open(Done done);
    // The page that speaks for all of the range, where it is one and was read before.
    PageRef at_hand(BlockRange range);
    // `into` stays until completion.
    void fetch(BlockRange range, Pages& into, Done done);
    // The bytes that were read from there.
    Status check(BlockRange range, ByteView bytes, std::span<const PageRef> pages) const;
    void close(Done done);

  private:
    struct Kept {
        std::uint64_t number = 0;
        const std::uint8_t* bytes = nullptr;  // of the page
        PageRef page;
    };
    void check_size(std::uint64_t bytes);
    void check_header(std::uint64_t got);
    void opened(Status status);
    void page(std::uint64_t number, io::Callback<Result<PageRef>> done);
    void read_page(std::uint64_t number);
    void page_read(std::uint64_t number, Result<PageRef> page);
    const Kept* find(std::uint64_t number) const;
    void keep(std::uint64_t number, PageRef page);

    const LayerContext& context_;
    const LayerId layer_;
    const DataCrcHeader expected_;
    io::FileId file_;
    bool open_ = false;
    std::uint32_t seed_ = 0;
    io::Buffer header_;  // while it is opened
    std::vector<Done> opening_;
    std::map<std::uint64_t, std::vector<io::Callback<Result<PageRef>>>> reading_;
    std::vector<Kept> kept_;  // by number modulo its size, from the first page on
};

}  // namespace kiln::block
