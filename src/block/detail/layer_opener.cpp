// SPDX-License-Identifier: Apache-2.0
#include "block/detail/layer_opener.h"

#include "block/detail/join.h"

namespace kiln::block {

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

// --- creation: journal, then the map under another name, then its name ---

void LayerOpener::create_journal() {
    created_ = true;
    const Geometry& geometry = context_.geometry;
    std::uint8_t seed[4];
    context_.rng.fill(seed);
    superblock_ =
        Superblock{.store_uuid = context_.store_uuid,
                   .volume_id = open_.volume.str(),
                   .layer_id = open_.layer.str(),
                   .size_bytes = open_.size_bytes,
                   .page_blocks = geometry.page_blocks,
                   .shard_bytes = geometry.shard_bytes,
                   .generation = 1,
                   .boot_id = context_.boot_id,
                   .key = {},
                   .ring_bytes = geometry.journal_bytes,
                   .head = {.position = 0, .seq = 1, .prev_crc = get_le<std::uint32_t>(seed)}};
    step(io::Op::open(journal_path(context_, open_.layer),
                      {.write = true, .create = true, .truncate = true}),
         [this](std::uint64_t file) { fill_journal(io::FileId{static_cast<std::int64_t>(file)}); });
}

void LayerOpener::fill_journal(io::FileId file) {
    journal_ = file;
    bytes_ = encode_journal_header({.store_uuid = superblock_.store_uuid,
                                    .volume_id = superblock_.volume_id,
                                    .layer_id = superblock_.layer_id,
                                    .ring_bytes = superblock_.ring_bytes,
                                    .chain_seed = superblock_.head.prev_crc});
    const std::uint64_t length =
        kJournalHeaderBytes +
        std::min(context_.geometry.journal_first_bytes, superblock_.ring_bytes);
    context_.io.submit(
        io::Op::allocate(journal_, 0, length), [self = shared_from_this()](Value allocated) {
            // A file system without preallocation extends the file as it is written.
            if (!allocated && allocated.error().code() != Code::unsupported) {
                self->fail(std::move(allocated.error()));
                return;
            }
            self->step(
                io::Op::write(self->journal_, 0, self->bytes_), [&opener = *self](std::uint64_t) {
                    opener.step_if_durable(io::Op::sync(opener.journal_), [&opener](std::uint64_t) {
                        opener.step(io::Op::close(opener.journal_), [&opener](std::uint64_t) {
                            opener.journal_ = {};
                            opener.create_map();
                        });
                    });
                });
        });
}

void LayerOpener::create_map() {
    bytes_ = encode_superblock(superblock_);
    bytes_.resize(kMapHeaderBytes, 0);
    const std::string path = map_path(context_, open_.layer) + ".new";
    step(io::Op::open(path, {.write = true, .create = true, .truncate = true}),
         [this](std::uint64_t file) {
             map_ = io::FileId{static_cast<std::int64_t>(file)};
             step(io::Op::write(map_, 0, bytes_), [this](std::uint64_t) {
                 step_if_durable(io::Op::sync(map_), [this](std::uint64_t) { publish_map(); });
             });
         });
}

void LayerOpener::publish_map() {
    const std::string path = map_path(context_, open_.layer);
    step(io::Op::close(map_), [this, path](std::uint64_t) {
        map_ = {};
        // The journal's name first: a map without journal would be a damaged layer, not a missing
        // one.
        step_if_durable(io::Op::sync_dir(context_.directory), [this, path](std::uint64_t) {
            step(io::Op::rename(path + ".new", path), [this](std::uint64_t) {
                step_if_durable(io::Op::sync_dir(context_.directory),
                                [this](std::uint64_t) { open_map(); });
            });
        });
    });
}

// --- opening ---

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
    map_data_ = io::Buffer(kMapHeaderBytes);
    step(io::Op::read(map_, 0, map_data_.mutable_view()), [this](std::uint64_t got) {
        auto superblock = choose_superblock(map_data_.view().first(got));
        if (!superblock) {
            fail(std::move(superblock.error()));
            return;
        }
        superblock_ = *std::move(superblock);
        if (Status status = check_superblock(); !status) {
            fail(std::move(status.error()));
            return;
        }
        open_journal();
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
    if (superblock_.size_bytes != open_.size_bytes) {
        return Error(Code::data_loss, "it has " + std::to_string(superblock_.size_bytes) +
                                          " bytes instead of " + std::to_string(open_.size_bytes));
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
                       [&opener = *self](std::uint64_t bytes) { opener.read_journal(bytes); });
        });
}

void LayerOpener::read_journal(std::uint64_t file_bytes) {
    if (file_bytes < kJournalHeaderBytes ||
        file_bytes > kJournalHeaderBytes + superblock_.ring_bytes) {
        fail(Error(Code::data_loss, "its journal has an impossible length"));
        return;
    }
    journal_bytes_ = file_bytes;
    journal_data_ = io::Buffer(file_bytes);
    step(io::Op::read(journal_, 0, journal_data_.mutable_view()), [this](std::uint64_t got) {
        if (got != journal_bytes_) {
            fail(Error(Code::data_loss, "its journal ends early"));
            return;
        }
        if (Status status = check_journal(); !status) {
            fail(std::move(status.error()));
            return;
        }
        replay();
    });
}

Status LayerOpener::check_journal() const {
    TRY_ASSIGN(const JournalHeader header,
               decode_journal_header(journal_data_.view().first(kJournalHeaderBytes)));
    if (header.store_uuid != superblock_.store_uuid || header.layer_id != superblock_.layer_id ||
        header.volume_id != superblock_.volume_id || header.ring_bytes != superblock_.ring_bytes) {
        return Error(Code::data_loss, "its journal belongs to another layer");
    }
    return ok();
}

void LayerOpener::replay() {
    auto state = replay_journal(superblock_, journal_data_.view().subspan(kJournalHeaderBytes),
                                context_.boot_id);
    journal_data_ = {};
    if (!state) {
        fail(std::move(state.error()));
        return;
    }
    if (!open_.writable && !state->frozen) {
        fail(Error(Code::failed_precondition, "it is not sealed"));
        return;
    }
    if (state->frozen && state->end.next.seq - 1 > superblock_.floor_seq) {
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
    if (!open_.writable || state.boot_id == context_.boot_id) {
        finish(std::move(state), false);
        return;
    }
    clear_leftovers(std::move(state));
}

// Records that the loss of power tore off must not look like damage, or come back, later.
void LayerOpener::clear_leftovers(Replayed state) {
    const JournalEnd end = state.end;
    if (end.leftovers_end == 0) {
        finish(std::move(state), true);
        return;
    }
    bytes_.assign(end.leftovers_end - end.next.position, 0);
    step(io::Op::write(journal_, kJournalHeaderBytes + end.next.position, bytes_),
         [this, state = std::move(state)](std::uint64_t) mutable {
             step_if_durable(io::Op::sync_data(journal_),
                             [this, state = std::move(state)](std::uint64_t) mutable {
                                 finish(std::move(state), true);
                             });
         });
}

void LayerOpener::finish(Replayed state, bool new_boot) {
    auto layer = std::make_shared<LocalLayer>(
        context_, LocalLayer::Parts{.id = open_.layer,
                                    .writable = open_.writable,
                                    .superblock = superblock_,
                                    .map = map_,
                                    .journal = journal_,
                                    .journal_file_bytes = journal_bytes_,
                                    .state = std::move(state)});
    if (!new_boot) {
        done_(std::shared_ptr<Layer>(std::move(layer)));
        return;
    }
    LocalLayer& opened = *layer;
    opened.append_boot(
        [self = shared_from_this(), layer = std::move(layer)](Status written) mutable {
            if (written) {
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
