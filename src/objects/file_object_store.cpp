// SPDX-License-Identifier: Apache-2.0
#include "objects/file_object_store.h"

#include <set>

#include "io/buffer.h"
#include "objects/detail/checks.h"
#include "objects/detail/open_files.h"
#include "objects/detail/pending_call.h"

namespace kiln::objects {
namespace {

constexpr std::string_view kTemporary = ".put-";
// What a put copies and writes at a time.
constexpr std::size_t kPieceBytes = io::Buffer::kHugePage;
// Whoever wants a whole object asks for as much as one may have. For more than this the object is
// asked for its size first: memory for what is not there costs more than the question.
constexpr std::uint64_t kUnasked = 1 << 20;

std::size_t whole_pages(std::size_t bytes) {
    return (bytes + io::Buffer::kAlignment - 1) / io::Buffer::kAlignment * io::Buffer::kAlignment;
}

Status as_status(Result<std::uint64_t> result) {
    return result ? ok() : Status(std::move(result.error()));
}

}  // namespace

struct FileObjectStore::State {
    io::Io& io;
    io::Scheduler& scheduler;
    const FileStoreOptions options;
    std::shared_ptr<OpenFiles> files;
    std::set<std::string> putting;
    std::uint64_t next_temporary = 0;

    std::string path(const std::string& name) const { return options.directory + "/" + name; }
};

namespace {

// One put, step by step. Before the rename an ended call stops it; after it the object is there.
template <class State>
class PutJob : public std::enable_shared_from_this<PutJob<State>> {
  public:
    PutJob(std::shared_ptr<State> state, std::string name, SharedBytes content,
           std::shared_ptr<PendingCall<void>> call)
        : state_(std::move(state)),
          name_(std::move(name)),
          content_(std::move(content)),
          call_(std::move(call)),
          temporary_(state_->options.directory + "/" + std::string(kTemporary) +
                     std::to_string(state_->next_temporary++)) {}

    void start() {
        submit(io::Op::open(state_->path(name_), {}),
               [this](Result<std::uint64_t> found) { looked(std::move(found)); });
    }

  private:
    template <class Then>
    void submit(io::Op op, Then then) {
        state_->io.submit(std::move(op),
                          [self = this->shared_from_this(), then](
                              Result<std::uint64_t> result) mutable { then(std::move(result)); });
    }
    // Goes on with `next` unless the step failed or nobody waits any more.
    template <class Next>
    void step(io::Op op, Next next) {
        submit(std::move(op), [this, next](Result<std::uint64_t> result) {
            if (!result) {
                fail(std::move(result.error()));
            } else if (call_->over()) {
                fail(Error(Code::cancelled, "the put was given up"));
            } else {
                next(*result);
            }
        });
    }

    void looked(Result<std::uint64_t> found) {
        if (found) {
            submit(io::Op::close(io::FileId{static_cast<std::int64_t>(*found)}),
                   [this](Result<std::uint64_t>) {
                       end(Error(Code::already_exists, "object " + name_ + " is there"));
                   });
        } else if (found.error().code() != Code::not_found) {
            end(std::move(found.error()));
        } else {
            // Past the page cache: it would copy the bytes into memory of its own, which costs more
            // than the device does, and keep them from what is read.
            step(io::Op::open(temporary_, {.write = true,
                                           .create = true,
                                           .truncate = true,
                                           .direct = state_->options.durable}),
                 [this](std::uint64_t file) {
                     file_ = io::FileId{static_cast<std::int64_t>(file)};
                     piece_ = io::Buffer(whole_pages(std::min(content_->size(), kPieceBytes)));
                     write_piece();
                 });
        }
    }
    // The last page is filled up with zeros, which go again.
    void write_piece() {
        const std::size_t length = std::min(content_->size() - put_, kPieceBytes);
        if (length == 0) {
            piece_ = {};
            if (put_ % io::Buffer::kAlignment == 0) {
                written();
            } else {
                step(io::Op::truncate(file_, put_), [this](std::uint64_t) { written(); });
            }
            return;
        }
        const MutableByteView piece = piece_.mutable_view().first(whole_pages(length));
        std::copy_n(content_->begin() + static_cast<std::ptrdiff_t>(put_), length, piece.begin());
        std::ranges::fill(piece.subspan(length), 0);
        step(io::Op::write(file_, put_, piece), [this, length](std::uint64_t) {
            put_ += length;
            write_piece();
        });
    }
    void written() {
        if (!state_->options.durable) {
            synced();
            return;
        }
        step(io::Op::sync(file_), [this](std::uint64_t) { synced(); });
    }
    void synced() {
        step(io::Op::close(std::exchange(file_, {})), [this](std::uint64_t) {
            submit(io::Op::rename(temporary_, state_->path(name_)),
                   [this](Result<std::uint64_t> result) {
                       if (!result) {
                           fail(std::move(result.error()));
                       } else {
                           renamed();
                       }
                   });
        });
    }
    void renamed() {
        if (!state_->options.durable) {
            end(ok());
            return;
        }
        submit(io::Op::sync_dir(state_->options.directory),
               [this](Result<std::uint64_t> result) { end(as_status(std::move(result))); });
    }
    void fail(Error error) {
        if (file_.valid()) {
            submit(io::Op::close(std::exchange(file_, {})),
                   [this, error = std::move(error)](Result<std::uint64_t>) { fail(error); });
            return;
        }
        submit(io::Op::unlink(temporary_),
               [this, error = std::move(error)](Result<std::uint64_t>) { end(error); });
    }
    void end(Status status) {
        state_->putting.erase(name_);
        call_->finish(std::move(status));
    }

    const std::shared_ptr<State> state_;
    const std::string name_;
    const SharedBytes content_;
    const std::shared_ptr<PendingCall<void>> call_;
    const std::string temporary_;
    io::FileId file_{};
    io::Buffer piece_;
    std::size_t put_ = 0;  // bytes of the content
};

// Reads `length` bytes at `offset` and gives the file back.
template <class State, class Then>
void read_part(const std::shared_ptr<State>& state, const std::string& path, io::FileId file,
               std::uint64_t offset, std::uint64_t length, Then then) {
    auto bytes = std::make_shared<Bytes>(length);
    const MutableByteView into(*bytes);
    state->io.submit(io::Op::read(file, offset, into),
                     [state, path, bytes, then](Result<std::uint64_t> result) {
                         state->files->release(path);
                         if (!result) {
                             then(Result<Bytes>(std::move(result.error())));
                             return;
                         }
                         bytes->resize(*result);
                         then(Result<Bytes>(std::move(*bytes)));
                     });
}

// Asks for the object's size, and gives the file back if there is none.
template <class State, class Then>
void with_size(const std::shared_ptr<State>& state, const std::string& path, io::FileId file,
               Then then) {
    state->io.submit(io::Op::size(file), [state, path, then](Result<std::uint64_t> size) {
        if (!size) {
            state->files->release(path);
        }
        then(std::move(size));
    });
}

// What list gave, one after the other.
template <class State>
void unlink_temporaries(std::shared_ptr<State> state,
                        std::shared_ptr<std::vector<std::string>> names,
                        io::Callback<Status> done) {
    while (!names->empty() && !names->back().starts_with(kTemporary)) {
        names->pop_back();
    }
    if (names->empty()) {
        done(ok());
        return;
    }
    const std::string path = state->path(names->back());
    names->pop_back();
    io::Io& io = state->io;
    io.submit(io::Op::unlink(path), [state = std::move(state), names = std::move(names),
                                     done = std::move(done)](Result<std::uint64_t> result) mutable {
        if (!result) {
            done(std::move(result.error()));
        } else {
            unlink_temporaries(std::move(state), std::move(names), std::move(done));
        }
    });
}

}  // namespace

FileObjectStore::FileObjectStore(io::Io& io, io::Scheduler& scheduler, FileStoreOptions options)
    : state_(std::make_shared<State>(State{
          io, scheduler, options, std::make_shared<OpenFiles>(io, options.open_files), {}, 0})) {}

FileObjectStore::~FileObjectStore() = default;

void FileObjectStore::clean(io::Callback<Status> done) {
    auto names = std::make_shared<std::vector<std::string>>();
    state_->io.submit(
        io::Op::list(state_->options.directory, names.get()),
        [state = state_, names, done = std::move(done)](Result<std::uint64_t> result) mutable {
            if (!result) {
                done(std::move(result.error()));
            } else {
                unlink_temporaries(std::move(state), std::move(names), std::move(done));
            }
        });
}

CallPtr FileObjectStore::put(std::string name, SharedBytes content, CallOptions options,
                             io::Callback<Status> done) {
    auto call = PendingCall<void>::start(state_->scheduler, options, std::move(done));
    if (Status fine = check_put(name, content); !fine) {
        call->finish_later(std::move(fine));
    } else if (!state_->putting.insert(name).second) {
        call->finish_later(Error(Code::already_exists, "object " + name + " is being written"));
    } else {
        std::make_shared<PutJob<State>>(state_, std::move(name), std::move(content), call)->start();
    }
    return call;
}

CallPtr FileObjectStore::get(std::string name, std::uint64_t offset, std::uint64_t length,
                             CallOptions options, io::Callback<Result<Bytes>> done) {
    auto call = PendingCall<Bytes>::start(state_->scheduler, options, std::move(done));
    if (Status fine = check_get(name, offset, length); !fine) {
        call->finish_later(std::move(fine.error()));
        return call;
    }
    const std::string path = state_->path(name);
    state_->files->use(path, [=, state = state_](Result<io::FileId> file) {
        if (!file) {
            call->finish_later(std::move(file.error()));
            return;
        }
        const auto finish = [call](Result<Bytes> bytes) { call->finish(std::move(bytes)); };
        if (length <= kUnasked) {
            read_part(state, path, *file, offset, length, finish);
            return;
        }
        with_size(state, path, *file, [=, file = *file](Result<std::uint64_t> size) {
            if (!size) {
                finish(std::move(size.error()));
                return;
            }
            const std::uint64_t there = *size - std::min(*size, offset);
            read_part(state, path, file, offset, std::min(there, length), finish);
        });
    });
    return call;
}

CallPtr FileObjectStore::get_tail(std::string name, std::uint64_t length, CallOptions options,
                                  io::Callback<Result<Tail>> done) {
    auto call = PendingCall<Tail>::start(state_->scheduler, options, std::move(done));
    if (Status fine = check_get(name, 0, length); !fine) {
        call->finish_later(std::move(fine.error()));
        return call;
    }
    const std::string path = state_->path(name);
    state_->files->use(path, [=, state = state_](Result<io::FileId> file) {
        if (!file) {
            call->finish_later(std::move(file.error()));
            return;
        }
        with_size(state, path, *file, [=, file = *file](Result<std::uint64_t> size) {
            if (!size) {
                call->finish(std::move(size.error()));
                return;
            }
            const std::uint64_t all = *size;
            const std::uint64_t part = std::min(all, length);
            read_part(state, path, file, all - part, part, [call, all](Result<Bytes> bytes) {
                call->finish(bytes ? Result<Tail>(Tail{all, std::move(*bytes)})
                                   : Result<Tail>(std::move(bytes.error())));
            });
        });
    });
    return call;
}

void FileObjectStore::forget(const std::string& name) {
    state_->files->forget(state_->path(name));
}

CallPtr FileObjectStore::remove(std::string name, CallOptions options, io::Callback<Status> done) {
    auto call = PendingCall<void>::start(state_->scheduler, options, std::move(done));
    if (Status fine = check_name(name); !fine) {
        call->finish_later(std::move(fine));
        return call;
    }
    const std::string path = state_->path(name);
    state_->files->forget(path);
    state_->io.submit(io::Op::unlink(path), [call, state = state_](Result<std::uint64_t> result) {
        if (!result || !state->options.durable) {
            call->finish(as_status(std::move(result)));
            return;
        }
        // Also when nothing was there: it may have been removed before the power went, and be on
        // the medium still. Whoever removes forgets the name then, and nobody lists.
        state->io.submit(
            io::Op::sync_dir(state->options.directory),
            [call](Result<std::uint64_t> synced) { call->finish(as_status(std::move(synced))); });
    });
    return call;
}

}  // namespace kiln::objects
