// SPDX-License-Identifier: Apache-2.0
#include "block/image/destage.h"

#include <algorithm>

#include "block/detail/join.h"

namespace kiln::block {
namespace {

WriterOptions with_size(WriterOptions options, std::uint64_t size) {
    options.size_bytes = size;
    return options;
}

}  // namespace

Destage::Destage(ChunkStore& store, ContentSource& source, WriterOptions options,
                 io::Callback<Result<WrittenTree>> done)
    : source_(source),
      chunk_bytes_(options.geometry.chunk_bytes),
      chunks_((source.size_bytes() + chunk_bytes_ - 1) / chunk_bytes_),
      writer_(std::make_shared<TreeWriter>(store, with_size(options, source.size_bytes()))),
      done_(std::move(done)) {}

std::shared_ptr<Destage> Destage::start(ChunkStore& store, ContentSource& source,
                                        WriterOptions options,
                                        io::Callback<Result<WrittenTree>> done) {
    INVARIANT(options.geometry.check());
    std::shared_ptr<Destage> self(new Destage(store, source, std::move(options), std::move(done)));
    self->writing_ = true;
    self->writer_->start([self](Status status) {
        self->writing_ = false;
        self->note(status);
        self->pump();
    });
    return self;
}

void Destage::cancel() {
    note(Error(Code::cancelled, "the destage was cancelled"));
}

void Destage::note(const Status& status) {
    if (!status && status_) {
        status_ = status;
    }
}

void Destage::pump() {
    if (!done_) {
        return;
    }
    if (!status_) {
        if (!reading_ && !writing_) {
            auto done = std::move(done_);
            done(status_.error());
        }
        return;
    }
    if (!reading_ && !ready_ && !all_read_) {
        auto batch = next_batch();
        all_read_ = batch == nullptr;
        if (batch) {
            read(std::move(batch));
        }
    }
    if (ready_ && !writing_) {
        write();
    } else if (all_read_ && !ready_ && !reading_ && !writing_) {
        finish();
    }
}

std::unique_ptr<Destage::Batch> Destage::next_batch() {
    auto batch = std::make_unique<Batch>();
    while (batch->changes.size() < kBatchChunks && cursor_ < chunks_) {
        const auto dirty = source_.next_dirty(cursor_ * chunk_bytes_);
        if (!dirty) {
            cursor_ = chunks_;
            break;
        }
        INVARIANT(dirty->length > 0 && dirty->offset >= cursor_ * chunk_bytes_);
        cursor_ = std::min(dirty->offset / chunk_bytes_, chunks_);
        const std::uint64_t last = (dirty->offset + dirty->length - 1) / chunk_bytes_;
        while (cursor_ <= last && cursor_ < chunks_ && batch->changes.size() < kBatchChunks) {
            batch->changes.push_back({cursor_++, {}});
        }
    }
    if (batch->changes.empty()) {
        return nullptr;
    }
    batch->memory =
        spare_.empty() ? io::Buffer(kBatchChunks * chunk_bytes_) : std::exchange(spare_, {});
    for (std::size_t i = 0; i < batch->changes.size(); ++i) {
        batch->changes[i].bytes = batch->memory.view().subspan(i * chunk_bytes_, chunk_bytes_);
    }
    return batch;
}

// Neighbouring chunks are read in one piece.
void Destage::read(std::unique_ptr<Batch> batch) {
    reading_ = true;
    const std::shared_ptr<Batch> shared = std::move(batch);
    const auto join = Join::create([self = shared_from_this(), shared](Status status) {
        self->reading_ = false;
        self->note(status);
        self->ready_ = std::make_unique<Batch>(std::move(*shared));
        self->pump();
    });
    const auto& changes = shared->changes;
    for (std::size_t first = 0; first < changes.size();) {
        std::size_t end = first + 1;
        while (end < changes.size() && changes[end].chunk == changes[end - 1].chunk + 1) {
            ++end;
        }
        const std::uint64_t offset = changes[first].chunk * chunk_bytes_;
        const std::uint64_t inside =
            std::min((end - first) * chunk_bytes_, source_.size_bytes() - offset);
        const MutableByteView into = shared->memory.mutable_view().subspan(
            first * chunk_bytes_, (end - first) * chunk_bytes_);
        std::ranges::fill(into.subspan(inside), 0);
        source_.read(offset, into.first(inside), join->arm());
        first = end;
    }
    join->ready();
}

void Destage::write() {
    writing_ = true;
    in_writer_ = std::move(ready_);
    writer_->add(in_writer_->changes, [self = shared_from_this()](Status status) {
        self->writing_ = false;
        self->spare_ = std::move(self->in_writer_->memory);
        self->in_writer_.reset();
        self->note(status);
        self->pump();
    });
    pump();  // the next batch is read meanwhile
}

void Destage::finish() {
    writing_ = true;
    writer_->finish([self = shared_from_this()](Result<WrittenTree> tree) {
        self->writing_ = false;
        self->note(tree ? ok() : Status(tree.error()));
        auto done = std::move(self->done_);
        done(self->status_ ? std::move(tree) : Result<WrittenTree>(self->status_.error()));
    });
}

}  // namespace kiln::block
