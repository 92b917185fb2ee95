// SPDX-License-Identifier: Apache-2.0
#include "block/image/repack.h"

#include <algorithm>

namespace kiln::block {
namespace {

struct Checked {
    PackHeader header;
    std::vector<PackEntry> entries;
};

// The entries that begin at these offsets, all of them good.
Result<Checked> check(ByteView pack, const RepackPiece& piece, const std::string& store_uuid) {
    const std::size_t tail = std::min<std::size_t>(pack.size(), kPackTailBytes);
    TRY_ASSIGN(PackFooter footer, decode_pack_tail(pack.last(tail), pack.size()));
    if (footer.header.store_uuid != store_uuid || footer.header.pack != piece.pack) {
        return Error(Code::data_loss, "it is another pack, or of another store");
    }
    std::ranges::sort(footer.entries, {}, &PackEntry::offset);
    Checked checked{.header = footer.header, .entries = {}};
    for (const std::uint32_t offset : piece.entries) {
        const auto at = std::ranges::lower_bound(footer.entries, offset, {}, &PackEntry::offset);
        if (at == footer.entries.end() || at->offset != offset) {
            return Error(Code::data_loss, "its footer has no entry at " + std::to_string(offset));
        }
        // The footer's digest was compared: entries lie before it.
        const ByteView entry = pack.subspan(offset, entry_bytes(*at));
        TRY(open_entry(*at, entry), "entry " + at->id.hex());
        checked.entries.push_back(*at);
    }
    return checked;
}

}  // namespace

struct Repack::Read {
    RepackPiece piece;
    std::string store_uuid;
    Bytes bytes;
    Result<Checked> checked = Checked();
};

Repack::Repack(const ImageContext& context, std::uint64_t epoch, std::vector<RepackPiece> pieces,
               io::Callback<Result<Repacked>> done)
    : context_(context), epoch_(epoch), pieces_(std::move(pieces)), done_(std::move(done)) {}

std::shared_ptr<Repack> Repack::start(const ImageContext& context, std::uint64_t epoch,
                                      std::vector<RepackPiece> pieces,
                                      io::Callback<Result<Repacked>> done) {
    std::shared_ptr<Repack> self(new Repack(context, epoch, std::move(pieces), std::move(done)));
    context.scheduler.post([self] { self->next(); });
    return self;
}

void Repack::cancel() {
    note(Error(Code::cancelled, "the repacking was cancelled"));
}

void Repack::note(Status status) {
    if (status_ && !status) {
        status_ = std::move(status);
    }
}

void Repack::next() {
    if (!status_ || at_ == pieces_.size()) {
        finish();
        return;
    }
    context_.objects.get(
        pack_name(context_.store_uuid, pieces_[at_].pack), 0, kMaxPackBytes,
        {.timeout = kObjectTimeout},
        [self = shared_from_this()](Result<Bytes> bytes) { self->got(std::move(bytes)); });
}

void Repack::got(Result<Bytes> bytes) {
    if (!bytes) {
        const Code code = bytes.error().code();
        if (code == Code::not_found || code == Code::io_error || code == Code::data_loss) {
            leave(std::move(bytes.error()));
        } else {
            note(std::move(bytes.error()));
            next();
        }
        return;
    }
    repacked_.bytes_read += bytes->size();
    auto read = std::make_shared<Read>(
        Read{.piece = pieces_[at_], .store_uuid = context_.store_uuid, .bytes = *std::move(bytes)});
    context_.worker.run(
        [read] { read->checked = check(read->bytes, read->piece, read->store_uuid); },
        [self = shared_from_this(), read] { self->checked(read); });
}

void Repack::leave(Error why) {
    repacked_.damaged.emplace_back(pieces_[at_].pack, std::move(why));
    ++at_;
    next();
}

std::shared_ptr<PackSink> Repack::sink(const PackHeader& header) {
    auto& sink = sinks_[{header.kind, header.domain}];
    if (!sink) {
        sink = std::make_shared<PackSink>(context_, header.kind, header.domain, epoch_);
    }
    return sink;
}

void Repack::checked(const std::shared_ptr<Read>& read) {
    if (!read->checked) {
        leave(std::move(read->checked.error()));
        return;
    }
    const auto sink = this->sink(read->checked->header);
    for (const PackEntry& entry : read->checked->entries) {
        // An id may have been found in two packs.
        if (!sink->holds(entry.id)) {
            sink->add(entry, ByteView(read->bytes).subspan(entry.offset, entry_bytes(entry)));
            ++repacked_.entries;
        }
    }
    repacked_.emptied.push_back(pieces_[at_].pack);
    ++at_;
    sink->when_at_most(kPacksInFlight, [self = shared_from_this()](Status status) {
        self->note(std::move(status));
        self->next();
    });
}

// What is open is worth writing only when all goes well: nothing is emptied after an error.
void Repack::finish() {
    if (status_) {
        for (const auto& [key, sink] : sinks_) {
            sink->seal();
        }
    }
    drain();
}

void Repack::drain() {
    if (!sinks_.empty()) {
        const auto sink = sinks_.begin()->second;
        sinks_.erase(sinks_.begin());
        sink->when_at_most(0, [self = shared_from_this(), sink](Status status) {
            self->note(std::move(status));
            self->repacked_.bytes_written += sink->written_bytes();
            self->repacked_.written.insert(self->repacked_.written.end(), sink->written().begin(),
                                           sink->written().end());
            self->drain();
        });
        return;
    }
    auto done = std::move(done_);
    done(status_ ? Result<Repacked>(std::move(repacked_)) : Result<Repacked>(status_.error()));
}

}  // namespace kiln::block
