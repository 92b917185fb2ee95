// SPDX-License-Identifier: Apache-2.0
#include "block/detail/layer_care.h"

#include "block/detail/journal_format.h"
#include "block/detail/superblock.h"
#include "io/buffer.h"

namespace kiln::block {
namespace {

std::uint64_t data_bytes_of(const Layer& layer) {
    std::uint64_t blocks = 0;
    for (std::uint64_t at = 0; at < layer.blocks();) {
        const BlockRun run = layer.presence(at, layer.blocks() - at);
        blocks += run.state == BlockState::data ? run.count : 0;
        at += run.count;
    }
    return blocks * kBlockBytes;
}

using Value = Result<std::uint64_t>;

// Reads one whole file of a bounded size; closed when it completes.
class FileRead : public std::enable_shared_from_this<FileRead> {
  public:
    using Got = io::Callback<Result<Bytes>>;
    FileRead(io::Io& io, std::uint64_t most, Got done)
        : io_(io), most_(most), done_(std::move(done)) {}

    void start(std::string path) {
        io_.submit(io::Op::open(std::move(path), {}), [self = shared_from_this()](Value file) {
            if (!file) {
                self->done_(std::move(file.error()));
                return;
            }
            self->file_ = io::FileId{static_cast<std::int64_t>(*file)};
            self->measure();
        });
    }

  private:
    void measure() {
        io_.submit(io::Op::size(file_), [self = shared_from_this()](Value size) {
            if (!size) {
                self->end(std::move(size.error()));
                return;
            }
            self->buffer_ = io::Buffer(std::min(*size, self->most_));
            self->io_.submit(io::Op::read(self->file_, 0, self->buffer_.mutable_view()),
                             [self](Value got) {
                                 if (!got) {
                                     self->end(std::move(got.error()));
                                     return;
                                 }
                                 const ByteView bytes = self->buffer_.view().first(*got);
                                 self->end(Bytes(bytes.begin(), bytes.end()));
                             });
        });
    }
    void end(Result<Bytes> result) {
        io_.submit(io::Op::close(file_), [self = shared_from_this(), result = std::move(result)](
                                             Value) mutable { self->done_(std::move(result)); });
    }

    io::Io& io_;
    const std::uint64_t most_;
    Got done_;
    io::FileId file_;
    io::Buffer buffer_;
};

class Care : public std::enable_shared_from_this<Care> {
  public:
    Care(LayerUses& layers, LayerId layer)
        : layers_(layers), layer_(std::move(layer)), pin_(layers, layer_) {}

    void read_freeze(io::Callback<Result<std::optional<Freeze>>> done) {
        freeze_done_ = std::move(done);
        with_superblock([self = shared_from_this()](Status status) {
            if (!status) {
                self->answer(std::move(status.error()));
                return;
            }
            // Opening proves that it is sealed, and makes the proof durable.
            self->open(false, [self](Result<std::shared_ptr<UsedLayer>> layer) {
                if (layer) {
                    self->close(*std::move(layer), ok(), [self](Status closed) {
                        if (closed) {
                            self->scan();
                        } else {
                            self->answer(std::move(closed.error()));
                        }
                    });
                } else if (layer.error().code() == Code::failed_precondition) {
                    self->answer(std::optional<Freeze>());
                } else {
                    self->answer(std::move(layer.error()));
                }
            });
        });
    }

    void read_facts(io::Callback<Result<LayerOrigin>> then) {
        auto done = [self = shared_from_this(),
                     then = std::move(then)](Result<LayerOrigin> origin) mutable {
            self->pin_.release();
            then(std::move(origin));
        };
        with_superblock([self = shared_from_this(), done = std::move(done)](Status status) mutable {
            if (!status) {
                done(std::move(status.error()));
                return;
            }
            self->open(false, [self, done = std::move(done)](
                                  Result<std::shared_ptr<UsedLayer>> layer) mutable {
                LayerOrigin origin{VolumeId(self->superblock_.volume_id),
                                   self->superblock_.size_bytes, layer.has_value(),
                                   layer ? data_bytes_of(**layer) : 0};
                if (!layer && layer.error().code() != Code::failed_precondition) {
                    done(std::move(layer.error()));
                } else if (!layer) {
                    done(std::move(origin));  // it read, and is not sealed
                } else {
                    close(*std::move(layer), ok(),
                          [done = std::move(done), origin](Status closed) mutable {
                              done(closed ? Result<LayerOrigin>(std::move(origin))
                                          : Result<LayerOrigin>(std::move(closed.error())));
                          });
                }
            });
        });
    }

    void seal(std::uint64_t size_bytes, Done then) {
        Done done = [self = shared_from_this(), then = std::move(then)](Status status) mutable {
            self->pin_.release();
            then(std::move(status));
        };
        with_superblock(
            [self = shared_from_this(), size_bytes, done = std::move(done)](Status status) mutable {
                if (status && self->superblock_.size_bytes < size_bytes) {
                    status =
                        Error(Code::data_loss, "layer " + self->layer_.str() + " has another size");
                }
                if (!status) {
                    done(std::move(status));
                    return;
                }
                self->open(false, [self, done = std::move(done)](
                                      Result<std::shared_ptr<UsedLayer>> layer) mutable {
                    if (layer) {
                        self->close(*std::move(layer), ok(), std::move(done));
                    } else if (layer.error().code() == Code::failed_precondition) {
                        self->seal_open(std::move(done));
                    } else {
                        done(std::move(layer.error()));
                    }
                });
            });
    }

  private:
    void with_superblock(Done next) {
        const LayerContext& context = layers_.context();
        std::make_shared<FileRead>(
            context.io, kMapHeaderBytes,
            [self = shared_from_this(), next = std::move(next)](Result<Bytes> map) mutable {
                Result<Superblock> superblock =
                    map ? choose_superblock(*map) : Result<Superblock>(std::move(map.error()));
                if (!superblock) {
                    next(std::move(superblock.error()).with("layer " + self->layer_.str()));
                    return;
                }
                self->superblock_ = *std::move(superblock);
                next(ok());
            })
            ->start(map_path(context, layer_));
    }
    void open(bool writable, LayerUses::Opened next) {
        layers_.open({.layer = layer_,
                      .volume = writable ? VolumeId(superblock_.volume_id) : VolumeId(),
                      .size_bytes = superblock_.size_bytes,
                      .writable = writable},
                     std::move(next));
    }
    static void close(std::shared_ptr<UsedLayer> layer, Status status, Done next) {
        UsedLayer& open = *layer;
        open.close([layer = std::move(layer), status = std::move(status),
                    next = std::move(next)](Status closed) mutable {
            next(status ? std::move(closed) : std::move(status));
        });
    }
    void seal_open(Done done) {
        open(true, [self = shared_from_this(),
                    done = std::move(done)](Result<std::shared_ptr<UsedLayer>> layer) mutable {
            if (!layer) {
                done(std::move(layer.error()));
                return;
            }
            UsedLayer& open = **layer;
            open.seal({}, [self, layer = *std::move(layer),
                           done = std::move(done)](Status sealed) mutable {
                self->layers_.context().scheduler.post([self, layer = std::move(layer),
                                                        sealed = std::move(sealed),
                                                        done = std::move(done)]() mutable {
                    close(std::move(layer), std::move(sealed), std::move(done));
                });
            });
        });
    }
    void scan() {
        const LayerContext& context = layers_.context();
        std::make_shared<FileRead>(context.io, kJournalHeaderBytes + superblock_.max_ring_bytes,
                                   [self = shared_from_this()](Result<Bytes> journal) {
                                       if (!journal) {
                                           self->answer(std::move(journal.error()));
                                           return;
                                       }
                                       self->answer(self->find_freeze(*journal));
                                   })
            ->start(journal_path(context, layer_));
    }
    Result<std::optional<Freeze>> find_freeze(const Bytes& journal) const {
        std::optional<Freeze> found;
        const auto look = [&](const Record& record) {
            if (record.type == RecordType::freeze) {
                found = record.freeze;
            }
            return ok();
        };
        Bytes ring(journal.begin() +
                       static_cast<std::ptrdiff_t>(std::min(kJournalHeaderBytes, journal.size())),
                   journal.end());
        if (superblock_.map_pages) {
            ring.resize(superblock_.ring_bytes);  // what the file does not have was never written
        }
        TRY(scan_journal(ring, superblock_.head, superblock_.size_bytes / kBlockBytes, look));
        if (!found) {
            return Error(Code::data_loss, "layer " + layer_.str() + " is sealed without a seal");
        }
        return found;
    }
    void answer(Result<std::optional<Freeze>> result) {
        pin_.release();
        freeze_done_(std::move(result));
    }

    LayerUses& layers_;
    const LayerId layer_;
    LayerPin pin_;
    Superblock superblock_;
    io::Callback<Result<std::optional<Freeze>>> freeze_done_;
};

// Refuses before anything is read; nothing when it may go on.
std::optional<Error> refusal(const LayerUses& layers, const LayerId& layer) {
    if (!valid_id(layer.str())) {
        return Error(Code::invalid_argument, "not a layer id");
    }
    if (layers.being_written(layer)) {
        return Error(Code::failed_precondition, "layer " + layer.str() + " is open for writing");
    }
    return std::nullopt;
}

}  // namespace

void read_freeze(LayerUses& layers, const LayerId& layer,
                 io::Callback<Result<std::optional<Freeze>>> done) {
    if (auto error = refusal(layers, layer)) {
        layers.context().scheduler.post(
            [error = *std::move(error), done = std::move(done)]() mutable {
                done(std::move(error));
            });
        return;
    }
    std::make_shared<Care>(layers, layer)->read_freeze(std::move(done));
}

void read_facts(LayerUses& layers, const LayerId& layer, io::Callback<Result<LayerOrigin>> done) {
    if (auto error = refusal(layers, layer)) {
        layers.context().scheduler.post(
            [error = *std::move(error), done = std::move(done)]() mutable {
                done(std::move(error));
            });
        return;
    }
    std::make_shared<Care>(layers, layer)->read_facts(std::move(done));
}

void seal_layer(LayerUses& layers, const LayerId& layer, std::uint64_t size_bytes, Done done) {
    if (auto error = refusal(layers, layer)) {
        layers.context().scheduler.post(
            [error = *std::move(error), done = std::move(done)]() mutable {
                done(std::move(error));
            });
        return;
    }
    std::make_shared<Care>(layers, layer)->seal(size_bytes, std::move(done));
}

}  // namespace kiln::block
