// SPDX-License-Identifier: Apache-2.0
#include "block/image/pack_sink.h"

namespace kiln::block {

struct PackSink::Write {
    PackHeader header;
    std::vector<PackEntry> entries;
    std::shared_ptr<Bytes> bytes;
};

// New memory would have to be mapped page by page for every pack.
Bytes PackSink::room() {
    Bytes room;
    if (!spare_.empty()) {
        room = std::move(spare_.back());
        spare_.pop_back();
    } else {
        // The last entry and the footer come on top.
        room.reserve(context_.pack_target_bytes + context_.pack_target_bytes / 8);
    }
    return room;
}

void PackSink::add(const PackEntry& entry, ByteView encoded) {
    INVARIANT(unindexed_.insert(entry.id).second);
    if (!open_) {
        PackHeader header{
            .store_uuid = context_.store_uuid, .kind = kind_, .domain = domain_, .epoch = epoch_};
        context_.rng.fill(header.pack.bytes);
        open_ = std::make_unique<PackBuilder>(header, room());
    }
    open_->add(entry, encoded);
    if (open_->bytes() >= context_.pack_target_bytes || open_->count() == kMaxPackEntries) {
        seal();
    }
}

void PackSink::seal() {
    if (!open_ || !status_) {
        open_.reset();
        return;
    }
    auto write = std::make_shared<Write>();
    write->header = open_->header();
    write->bytes = std::make_shared<Bytes>(open_->finish());
    write->entries = open_->entries();
    open_.reset();
    ++writing_;
    context_.index.begin_pack(write->header, [self = shared_from_this(), write](Status status) {
        if (!status) {
            self->ended(*write, std::move(status));
        } else {
            self->put(write);
        }
    });
}

void PackSink::put(std::shared_ptr<Write> write) {
    context_.objects.put(
        pack_name(context_.store_uuid, write->header.pack), write->bytes,
        {.timeout = kObjectTimeout}, [self = shared_from_this(), write](Status status) {
            if (!status) {
                self->ended(*write, std::move(status));
                return;
            }
            self->context_.index.insert(
                write->header, write->bytes->size(), write->entries,
                [self, write](Status inserted) { self->ended(*write, std::move(inserted)); });
        });
}

void PackSink::ended(const Write& write, Status status) {
    --writing_;
    if (status) {
        for (const PackEntry& entry : write.entries) {
            unindexed_.erase(entry.id);
        }
        written_.push_back(write.header.pack);
        written_bytes_ += write.bytes->size();
    } else if (status_) {
        status_ = std::move(status);
    }
    if (write.bytes.use_count() == 1) {  // a store in memory keeps them
        spare_.push_back(std::move(*write.bytes));
    }
    // After a failure too: the waiter may destroy what a put in flight reads.
    if (waiting_ && writing_ <= (status_ ? waits_for_ : 0)) {
        Done done = std::move(waiting_);
        done(status_);
    }
}

void PackSink::when_at_most(std::size_t packs, Done done) {
    INVARIANT(!waiting_);
    if (writing_ <= (status_ ? packs : 0)) {
        done(status_);
        return;
    }
    waits_for_ = packs;
    waiting_ = std::move(done);
}

}  // namespace kiln::block
