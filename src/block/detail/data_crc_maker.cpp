// SPDX-License-Identifier: Apache-2.0
#include "block/detail/data_crc_maker.h"

#include <algorithm>

#include "block/detail/data_crcs.h"
#include "block/detail/join.h"
#include "util/crc32c.h"

namespace kiln::block {
namespace {

constexpr std::uint64_t kPieceBlocks = (1U << 20) / kBlockBytes;

io::FileId file_of(std::uint64_t value) {
    return io::FileId{static_cast<std::int64_t>(value)};
}

}  // namespace

std::shared_ptr<DataCrcMaker> DataCrcMaker::start(const LayerContext& context, LayerId id,
                                                  std::shared_ptr<Layer> layer, Done done) {
    const std::shared_ptr<DataCrcMaker> self(
        new DataCrcMaker(context, std::move(id), std::move(layer), std::move(done)));
    self->step(io::Op::open(map_path(context, self->id_), {.write = true}),
               [&maker = *self](std::uint64_t file) {
                   maker.map_ = file_of(file);
                   maker.read_superblock();
               });
    return self;
}

void DataCrcMaker::step(io::Op op, io::Callback<std::uint64_t> next) {
    context_.io.submit(std::move(op), [self = shared_from_this(), next = std::move(next)](
                                          Result<std::uint64_t> value) mutable {
        if (value) {
            next(*value);
        } else {
            self->end(std::move(value.error()));
        }
    });
}

void DataCrcMaker::step_if_durable(io::Op op, io::Callback<std::uint64_t> next) {
    if (context_.durable) {
        step(std::move(op), std::move(next));
        return;
    }
    context_.scheduler.post(
        [self = shared_from_this(), next = std::move(next)]() mutable { next(0); });
}

void DataCrcMaker::read_superblock() {
    data_ = io::Buffer(kPieceBlocks * kBlockBytes);
    step(io::Op::read(map_, 0, data_.mutable_view().first(kMapHeaderBytes)),
         [this](std::uint64_t got) { superblock_read(got); });
}

void DataCrcMaker::superblock_read(std::uint64_t got) {
    auto superblock = choose_superblock(data_.view().first(got));
    if (!superblock) {
        end(std::move(superblock.error()));
        return;
    }
    superblock_ = *std::move(superblock);
    if (superblock_.layer_id != id_.str() || superblock_.store_uuid != context_.store_uuid ||
        superblock_.size_bytes != layer_->blocks() * kBlockBytes) {
        end(Error(Code::data_loss, "the file holds layer " + superblock_.layer_id));
    } else if (superblock_.data_crc) {
        end(ok());
    } else {
        create_file();
    }
}

void DataCrcMaker::create_file() {
    header_ = encode_data_crc_header(data_crcs_of(superblock_));
    page_ = io::Buffer(kDataCrcPageBytes);
    step(io::Op::open(data_crc_path(context_, id_) + ".new",
                      {.write = true, .create = true, .truncate = true}),
         [this](std::uint64_t file) {
             file_ = file_of(file);
             named_ = true;
             // Pages of places without data stay holes.
             step(io::Op::truncate(file_, data_crc_file_bytes(superblock_.size_bytes)),
                  [this](std::uint64_t) { next_piece(); });
         });
}

void DataCrcMaker::next_piece() {
    if (cancelled_) {
        end(Error(Code::cancelled, "the making of check sums was cancelled"));
        return;
    }
    BlockRun run;
    while (next_block_ < layer_->blocks()) {
        run = layer_->presence(next_block_, layer_->blocks() - next_block_);
        if (run.state == BlockState::data) {
            break;
        }
        next_block_ += run.count;
    }
    const bool over = next_block_ >= layer_->blocks();
    const std::uint64_t number = data_crc_page_of(next_block_);
    if (number_ && (over || number != *number_)) {
        write_page();
        return;
    }
    if (over) {
        write_header();
        return;
    }
    if (!number_) {
        number_ = number;
        std::ranges::fill(page_.mutable_view(), 0);
    }
    const std::uint64_t page_end = (number + 1) * kDataCrcPageBlocks;
    const BlockRange range{next_block_,
                           std::min({run.count, page_end - next_block_, kPieceBlocks})};
    layer_->read(range, data_.mutable_view().first(range.count * kBlockBytes),
                 [self = shared_from_this(), range](Status read) {
                     if (read) {
                         self->take_piece(range);
                     } else {
                         self->end(std::move(read.error()));
                     }
                 });
}

void DataCrcMaker::take_piece(BlockRange range) {
    for (std::uint64_t i = 0; i < range.count; ++i) {
        put_data_crc(page_.mutable_view(), range.first + i,
                     crc32c(data_.view().subspan(i * kBlockBytes, kBlockBytes)));
    }
    next_block_ = range.end();
    next_piece();
}

void DataCrcMaker::write_page() {
    finish_data_crc_page(page_.mutable_view(), data_crc_seed(header_), *number_);
    step(io::Op::write(file_, data_crc_page_offset(*number_), page_.view()), [this](std::uint64_t) {
        number_.reset();
        next_piece();
    });
}

void DataCrcMaker::write_header() {
    step(io::Op::write(file_, 0, header_), [this](std::uint64_t) {
        step_if_durable(io::Op::sync(file_), [this](std::uint64_t) {
            step(io::Op::close(std::exchange(file_, {})), [this](std::uint64_t) { publish(); });
        });
    });
}

void DataCrcMaker::publish() {
    const std::string path = data_crc_path(context_, id_);
    step(io::Op::rename(path + ".new", path), [this](std::uint64_t) {
        named_ = false;
        step_if_durable(io::Op::sync_dir(context_.directory),
                        [this](std::uint64_t) { put_in_force(); });
    });
}

// The process before may have written this superblock and ended before its sync. The slot of the
// older one is overwritten now, so this one must be durable.
void DataCrcMaker::put_in_force() {
    step_if_durable(io::Op::sync_data(map_), [this](std::uint64_t) {
        superblock_.data_crc = true;
        ++superblock_.generation;
        superblock_bytes_ = encode_superblock(superblock_);
        step(io::Op::write(map_, superblock_offset(superblock_.generation), superblock_bytes_),
             [this](std::uint64_t) {
                 step_if_durable(io::Op::sync_data(map_), [this](std::uint64_t) { end(ok()); });
             });
    });
}

void DataCrcMaker::end(Status status) {
    const auto join =
        Join::create([self = shared_from_this(), status = std::move(status)](Status) mutable {
            Done done = std::move(self->done_);
            done(std::move(status));
        });
    for (const io::FileId file : {map_, file_}) {
        if (file.valid()) {
            context_.io.submit(io::Op::close(file), join->arm_io());
        }
    }
    if (named_) {
        // Only space is at stake: whoever makes it again begins by emptying it.
        context_.io.submit(io::Op::unlink(data_crc_path(context_, id_) + ".new"), join->arm_io());
    }
    join->ready();
}

}  // namespace kiln::block
