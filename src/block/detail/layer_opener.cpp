// SPDX-License-Identifier: Apache-2.0
#include "block/detail/layer_opener.h"

#include "block/detail/join.h"
#include "block/detail/logged_restore.h"
#include "block/limits.h"

namespace kiln::block {
namespace {

// Of the journal of a sealed layer: what a checkpoint leaves, at most.
constexpr std::uint64_t kFirstWindow = 2 * kShortReplayBytes;

}  // namespace

void open_local_layer(const LayerContext& context, LayerOpen open,
                      io::Callback<Result<std::shared_ptr<Layer>>> done) {
    std::make_shared<LayerOpener>(context, std::move(open), std::move(done))->start();
}

void LayerOpener::start() {
    if (!valid_id(open_.layer.str()) || (open_.writable && !valid_id(open_.volume.str()))) {
        context_.scheduler.post([self = shared_from_this()] {
            self->fail(Error(Code::invalid_argument,
                             "a layer or volume id must be 1-63 of a-z, 0-9 and '-'"));
        });
        return;
    }
    open_map();
}

void LayerOpener::step(io::Op op, io::Callback<std::uint64_t> next) {
    context_.io.submit(std::move(op),
                       [self = shared_from_this(), next = std::move(next)](Value value) mutable {
                           if (!value) {
                               self->fail(std::move(value.error()));
                               return;
                           }
                           next(*value);
                       });
}

void LayerOpener::step_if_durable(io::Op op, io::Callback<std::uint64_t> next) {
    if (context_.durable) {
        step(std::move(op), std::move(next));
        return;
    }
    context_.scheduler.post(
        [self = shared_from_this(), next = std::move(next)]() mutable { next(0); });
}

void LayerOpener::fail(Error error) {
    auto join = Join::create([self = shared_from_this(), error = std::move(error)](Status) mutable {
        self->done_(std::move(error).with("layer " + self->open_.layer.str()));
    });
    for (const io::FileId file : {map_, journal_}) {
        if (file.valid()) {
            context_.io.submit(io::Op::close(file), join->arm_io());
        }
    }
    join->ready();
}

void LayerOpener::open_map() {
    context_.io.submit(io::Op::open(map_path(context_, open_.layer), {.write = open_.writable}),
                       [self = shared_from_this()](Value file) {
                           if (file) {
                               self->map_ = io::FileId{static_cast<std::int64_t>(*file)};
                               self->read_map();
                           } else if (file.error().code() == Code::not_found &&
                                      self->open_.create && !self->created_) {
                               self->create_journal();
                           } else {
                               self->fail(std::move(file.error()));
                           }
                       });
}

void LayerOpener::read_map() {
    buffer_ = io::Buffer(kMapHeaderBytes);
    step(io::Op::read(map_, 0, buffer_.mutable_view()), [this](std::uint64_t got) {
        auto superblock = choose_superblock(buffer_.view().first(got));
        if (!superblock) {
            fail(std::move(superblock.error()));
            return;
        }
        superblock_ = *std::move(superblock);
        if (Status status = check_superblock(); !status) {
            fail(std::move(status.error()));
            return;
        }
        read_pages();
    });
}

void LayerOpener::read_pages() {
    load_map(context_.io, context_.scheduler, map_, superblock_,
             [self = shared_from_this()](Result<LoadedMap> loaded) {
                 if (!loaded) {
                     self->fail(std::move(loaded.error()));
                     return;
                 }
                 self->map_pages_.emplace(*std::move(loaded));
                 self->open_journal();
             });
}

Status LayerOpener::check_superblock() const {
    if (superblock_.store_uuid != context_.store_uuid) {
        return Error(Code::data_loss, "it belongs to another store");
    }
    if (superblock_.layer_id != open_.layer.str()) {
        return Error(Code::data_loss, "the file holds layer " + superblock_.layer_id);
    }
    if (open_.writable && superblock_.volume_id != open_.volume.str()) {
        return Error(Code::data_loss, "it belongs to volume " + superblock_.volume_id);
    }
    // It may be larger: its volume was to grow, and did not yet.
    if (superblock_.size_bytes < open_.size_bytes) {
        return Error(Code::data_loss, "it has " + std::to_string(superblock_.size_bytes) +
                                          " bytes instead of " + std::to_string(open_.size_bytes));
    }
    if (!superblock_.map_pages && MapLayout(superblock_.size_bytes, superblock_.page_blocks,
                                            context_.geometry.directory_pages)
                                          .directories() > kMaxDirectories) {
        return Error(Code::unsupported, "its pages are too small for checkpoints");
    }
    return ok();
}

void LayerOpener::open_journal() {
    context_.io.submit(
        io::Op::open(journal_path(context_, open_.layer), {.write = open_.writable}),
        [self = shared_from_this()](Value file) {
            if (!file) {
                const bool missing = file.error().code() == Code::not_found;
                self->fail(missing ? Error(Code::data_loss, "its journal is missing")
                                   : std::move(file.error()));
                return;
            }
            self->journal_ = io::FileId{static_cast<std::int64_t>(*file)};
            self->step(io::Op::size(self->journal_),
                       [&opener = *self](std::uint64_t bytes) { opener.check_length(bytes); });
        });
}

void LayerOpener::check_length(std::uint64_t file_bytes) {
    if (file_bytes < kJournalHeaderBytes ||
        file_bytes > kJournalHeaderBytes + superblock_.max_ring_bytes) {
        fail(Error(Code::data_loss, "its journal has an impossible length"));
        return;
    }
    // A layer from before there were checkpoints has what its file has; its head never moved.
    const std::uint64_t room =
        (file_bytes - kJournalHeaderBytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    ring_bytes_ = superblock_.map_pages
                      ? superblock_.ring_bytes
                      : std::clamp(room, kMinJournalRing, superblock_.max_ring_bytes);
    buffer_ = io::Buffer(kJournalHeaderBytes);
    step(io::Op::read(journal_, 0, buffer_.mutable_view()), [this](std::uint64_t) {
        if (Status status = check_journal(); !status) {
            fail(std::move(status.error()));
            return;
        }
        // A sealed layer was checkpointed before, and nothing behind its seal matters.
        read_journal(open_.writable ? ring_bytes_ : std::min(kFirstWindow, ring_bytes_));
    });
}

void LayerOpener::read_journal(std::uint64_t window) {
    buffer_ = io::Buffer(window);
    // What the file does not have was never written.
    std::memset(buffer_.data(), 0, window);
    const std::uint64_t head = superblock_.head.position;
    const std::uint64_t first = std::min(window, ring_bytes_ - head);
    const MutableByteView into = buffer_.mutable_view();
    auto join = Join::create([self = shared_from_this()](Status status) {
        if (status) {
            self->replay();
        } else {
            self->fail(std::move(status.error()));
        }
    });
    context_.io.submit(io::Op::read(journal_, kJournalHeaderBytes + head, into.first(first)),
                       join->arm_io());
    if (first < window) {
        context_.io.submit(io::Op::read(journal_, kJournalHeaderBytes, into.subspan(first)),
                           join->arm_io());
    }
    join->ready();
}

Status LayerOpener::check_journal() const {
    TRY_ASSIGN(const JournalHeader header, decode_journal_header(buffer_.view()));
    if (header.store_uuid != superblock_.store_uuid || header.layer_id != superblock_.layer_id ||
        header.volume_id != superblock_.volume_id ||
        header.ring_bytes != superblock_.max_ring_bytes) {
        return Error(Code::data_loss, "its journal belongs to another layer");
    }
    return ok();
}

bool LayerOpener::seal_in_buffer() const {
    bool sealed = false;
    const auto look = [&](const Record& record) {
        sealed = sealed || record.type == RecordType::freeze;
        return ok();
    };
    return scan_unrolled(buffer_.view(), superblock_.head, superblock_.size_bytes / kBlockBytes,
                         look) &&
           sealed;
}

void LayerOpener::replay() {
    if (buffer_.size() < ring_bytes_ && !seal_in_buffer()) {
        read_journal(std::min<std::uint64_t>(8 * buffer_.size(), ring_bytes_));
        return;
    }
    auto state = replay_journal(superblock_, std::move(map_pages_->presence), buffer_.view(),
                                context_.boot_id);
    if (!state) {
        fail(std::move(state.error()));
        return;
    }
    if (const std::uint64_t end = open_.size_bytes / kBlockBytes,
        beyond = superblock_.size_bytes / kBlockBytes - end;
        beyond > 0 && (state->presence.run(end, beyond).state != BlockState::absent ||
                       state->presence.run(end, beyond).count != beyond)) {
        fail(Error(Code::data_loss, "it has bytes behind the end of its volume"));
        return;
    }
    if (superblock_.data_crc && !state->frozen) {
        fail(Error(Code::data_loss, "its seal is missing"));
        return;
    }
    if (!open_.writable && !state->frozen) {
        fail(Error(Code::failed_precondition, "it is not sealed"));
        return;
    }
    if (state->frozen && !superblock_.data_crc && state->end.next.seq - 1 > superblock_.floor_seq) {
        // The process that sealed it may have ended before its sync. Who learns from us that the
        // layer is sealed acts upon it, so a loss of power must not take that back.
        step_if_durable(io::Op::sync_data(journal_),
                        [this, state = *std::move(state)](std::uint64_t) mutable {
                            replayed(std::move(state));
                        });
        return;
    }
    replayed(*std::move(state));
}

void LayerOpener::replayed(Replayed state) {
    if (open_.writable && state.frozen) {
        fail(Error(Code::failed_precondition, "it is sealed"));
        return;
    }
    if (open_.writable) {
        restore(std::move(state));
    } else {
        buffer_ = {};
        open_data_crcs(std::move(state));
    }
}

// They count when they are there, also without the bit in the superblock: it comes after them. With
// the bit they must be there.
void LayerOpener::open_data_crcs(Replayed state) {
    crcs_ = std::make_unique<DataCrcs>(context_, open_.layer, data_crcs_of(superblock_));
    crcs_->open([self = shared_from_this(), state = std::move(state)](Status opened) mutable {
        if (!opened && opened.error().code() == Code::not_found && !self->superblock_.data_crc) {
            self->crcs_.reset();
        } else if (!opened) {
            const bool missing = opened.error().code() == Code::not_found;
            self->crcs_.reset();
            self->fail(missing ? Error(Code::data_loss, "the check sums of its data are missing")
                               : std::move(opened.error()));
            return;
        }
        self->finish(std::move(state), false);
    });
}

// What a flush had put in the journal alone, before BOOT says that it is in its place.
void LayerOpener::restore(Replayed state) {
    if (state.logged.empty()) {
        buffer_ = {};
        settle(std::move(state));
        return;
    }
    const auto shared = std::make_shared<Replayed>(std::move(state));
    restore_logged(context_, open_.layer, superblock_, shared->presence, shared->logged,
                   [self = shared_from_this(), shared](Status restored) {
                       if (!restored) {
                           self->fail(std::move(restored.error()));
                           return;
                       }
                       shared->logged.clear();
                       self->buffer_ = {};
                       self->settle(std::move(*shared));
                   });
}

// The process before may have ended between a change and its sync: of the files' names, without
// which all that is flushed from now on would be lost, and of this superblock, since what the older
// one needs is overwritten from now on.
void LayerOpener::settle(Replayed state) {
    step_if_durable(io::Op::sync_dir(context_.directory),
                    [this, state = std::move(state)](std::uint64_t) mutable {
                        step_if_durable(io::Op::sync_data(map_),
                                        [this, state = std::move(state)](std::uint64_t) mutable {
                                            clear_leftovers(std::move(state));
                                        });
                    });
}

// Records that the loss of power tore off must not look like damage, or come back, later.
void LayerOpener::clear_leftovers(Replayed state) {
    const JournalEnd end = state.end;
    const bool new_boot = state.boot_id != context_.boot_id;
    if (!new_boot || end.leftovers_end == 0) {
        finish(std::move(state), new_boot);
        return;
    }
    write_zeros(end.next.position, end.leftovers_end, [this, state = std::move(state)]() mutable {
        step_if_durable(io::Op::sync_data(journal_),
                        [this, state = std::move(state)](std::uint64_t) mutable {
                            finish(std::move(state), true);
                        });
    });
}

void LayerOpener::write_zeros(std::uint64_t position, std::uint64_t end, io::Callback<> then) {
    const std::uint64_t place = position % ring_bytes_;
    bytes_.assign(std::min(end - position, ring_bytes_ - place), 0);
    step(io::Op::write(journal_, kJournalHeaderBytes + place, bytes_),
         [this, next = position + bytes_.size(), end,
          then = std::move(then)](std::uint64_t) mutable {
             if (next < end) {
                 write_zeros(next, end, std::move(then));
             } else {
                 then();
             }
         });
}

void LayerOpener::finish(Replayed state, bool new_boot) {
    auto layer = std::make_shared<LocalLayer>(
        context_, LocalLayer::Parts{.id = open_.layer,
                                    .writable = open_.writable,
                                    .superblock = superblock_,
                                    .map = map_,
                                    .tables = std::move(map_pages_->tables),
                                    .journal = journal_,
                                    .ring_bytes = ring_bytes_,
                                    .state = std::move(state),
                                    .crcs = std::move(crcs_)});
    if (!new_boot) {
        if (open_.writable) {
            layer->maybe_checkpoint();
        }
        done_(std::shared_ptr<Layer>(std::move(layer)));
        return;
    }
    LocalLayer& opened = *layer;
    opened.append_boot(
        [self = shared_from_this(), layer = std::move(layer)](Status written) mutable {
            if (written) {
                static_cast<LocalLayer&>(*layer).maybe_checkpoint();
                self->done_(std::shared_ptr<Layer>(std::move(layer)));
                return;
            }
            Layer& failed = *layer;
            failed.close([self, layer = std::move(layer),
                          written = std::move(written)](Status) mutable {
                self->done_(std::move(written.error()).with("layer " + self->open_.layer.str()));
            });
        });
}

}  // namespace kiln::block
