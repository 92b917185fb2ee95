// SPDX-License-Identifier: Apache-2.0
#include "block/engine.h"

#include <optional>
#include <thread>

#include "block/detail/volume_owner.h"
#include "block/limits.h"
#include "util/fs.h"
#include "util/mutex.h"

namespace kiln::block {
namespace {

// One blocking call: the answer, and who waits for it. Shared, because the caller may give up
// first.
template <class T>
class Answer {
  public:
    void give(Result<T> result) EXCLUDES(mutex_) {
        MutexLock lock(mutex_);
        result_.emplace(std::move(result));
        given_.notify_all();
    }
    Result<T> take(Deadline deadline) EXCLUDES(mutex_) {
        MutexLock lock(mutex_);
        while (!result_) {
            if (deadline.passed()) {
                return Error(Code::deadline_exceeded, "the block engine did not answer in time");
            }
            given_.wait_until(lock, Deadline::clock::now() + deadline.left());
        }
        return std::move(*result_);
    }

  private:
    Mutex mutex_;
    CondVar given_;
    std::optional<Result<T>> result_ GUARDED_BY(mutex_);
};

Result<std::string> this_boot() {
    TRY_ASSIGN(std::string text, read_file("/proc/sys/kernel/random/boot_id", 4096));
    while (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    return text;
}

Error too_large() {
    return Error(Code::invalid_argument,
                 "at most " + std::to_string(kMaxRequestBytes) + " bytes in one call");
}

}  // namespace

class Engine::Impl {
  public:
    Impl(std::unique_ptr<io::Reactor> reactor, ContentStore& contents, const EngineOptions& options,
         io::Rng& rng)
        : reactor_(std::move(reactor)),
          owner_(std::in_place, reactor_->sockets(), contents,
                 LayerContext{.io = reactor_->io(),
                              .scheduler = reactor_->scheduler(),
                              .rng = rng,
                              .directory = options.directory,
                              .store_uuid = options.store_uuid,
                              .boot_id = options.boot_id,
                              .durable = options.durable,
                              .geometry = options.geometry}),
          thread_([this] { reactor_->run(); }) {}

    ~Impl() {
        (void)call<void>(Deadline::never(), [this](Done done) {
            owner_->close_all([done = std::move(done)]() mutable { done(ok()); });
        });
        reactor_->stop();
        thread_.join();
        owner_.reset();
    }

    // Runs `work(done)` on the owner thread and waits for `done`.
    template <class T, class Work>
    Result<T> call(Deadline deadline, Work work) {
        INVARIANT_MSG(!reactor_->on_owner_thread(), "a blocking call from a completion");
        auto answer = std::make_shared<Answer<T>>();
        reactor_->scheduler().post([answer, work = std::move(work)]() mutable {
            work(io::Callback<Result<T>>(
                [answer](Result<T> result) { answer->give(std::move(result)); }));
        });
        return answer->take(deadline);
    }

    // The same with an open volume.
    template <class Work>
    Status with_volume(const VolumeId& id, Deadline deadline, Work work) {
        return call<void>(deadline, [this, id, work = std::move(work)](Done done) mutable {
            const auto volume = owner_->find(id);
            if (!volume) {
                done(volume.error());
                return;
            }
            work(**volume, std::move(done));
        });
    }

    VolumeOwner& owner() { return *owner_; }
    const io::Reactor& reactor() const { return *reactor_; }

  private:
    const std::unique_ptr<io::Reactor> reactor_;
    std::optional<VolumeOwner> owner_;
    std::thread thread_;
};

Result<std::unique_ptr<Engine>> Engine::create(EngineOptions options, ContentStore& contents,
                                               io::Clock& clock, io::Rng& rng) {
    TRY(options.geometry.check());
    if (options.store_uuid.empty() || options.store_uuid.size() > 39) {
        return Error(Code::invalid_argument, "the store's uuid has 1 to 39 bytes");
    }
    if (options.boot_id.empty()) {
        TRY_ASSIGN(options.boot_id, this_boot());
    }
    if (options.boot_id.size() > 39) {
        return Error(Code::invalid_argument, "a boot id has at most 39 bytes");
    }
    TRY(make_directories(options.directory, 0700));
    TRY_ASSIGN(auto reactor, io::Reactor::create(options.backend, clock));
    return std::unique_ptr<Engine>(
        new Engine(std::make_unique<Impl>(std::move(reactor), contents, options, rng)));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Status Engine::open_volume(const VolumeSpec& spec, Deadline deadline) {
    return impl_->call<void>(deadline, [impl = impl_.get(), spec](Done done) {
        impl->owner().open(spec, std::move(done));
    });
}

Status Engine::close_volume(const VolumeId& id, Deadline deadline) {
    return impl_->call<void>(deadline, [impl = impl_.get(), id](Done done) {
        impl->owner().close(id, false, std::move(done));
    });
}

Status Engine::seal_volume(const VolumeId& id, Deadline deadline) {
    return impl_->call<void>(deadline, [impl = impl_.get(), id](Done done) {
        impl->owner().close(id, true, std::move(done));
    });
}

Status Engine::export_volume(const VolumeId& id, const std::string& socket_path, bool read_only,
                             Deadline deadline) {
    return impl_->call<void>(deadline, [impl = impl_.get(), id, socket_path, read_only](Done done) {
        impl->owner().add_export(id, socket_path, read_only, std::move(done));
    });
}

Status Engine::unexport_volume(const VolumeId& id, const std::string& socket_path,
                               Deadline deadline) {
    return impl_->call<void>(deadline, [impl = impl_.get(), id, socket_path](Done done) {
        impl->owner().remove_export(id, socket_path, std::move(done));
    });
}

Result<Bytes> Engine::read(const VolumeId& id, std::uint64_t offset, std::uint32_t length,
                           Deadline deadline) {
    if (length > kMaxRequestBytes) {
        return too_large();
    }
    // Shared: after a missed deadline the read still fills it.
    auto buffer = std::make_shared<io::Buffer>(length);
    TRY(impl_->with_volume(id, deadline, [offset, buffer](Volume& volume, Done done) {
        const MutableByteView into = buffer->mutable_view();
        volume.read(offset, into, [buffer, done = std::move(done)](Status status) mutable {
            done(std::move(status));
        });
    }));
    return Bytes(buffer->view().begin(), buffer->view().end());
}

Status Engine::write(const VolumeId& id, std::uint64_t offset, ByteView data, Deadline deadline) {
    if (data.size() > kMaxRequestBytes) {
        return too_large();
    }
    auto buffer = std::make_unique<io::Buffer>(data.size());
    std::copy(data.begin(), data.end(), buffer->data());
    return impl_->with_volume(
        id, deadline, [offset, buffer = std::move(buffer)](Volume& volume, Done done) mutable {
            const ByteView from = buffer->view();
            volume.write(offset, from, false,
                         [buffer = std::move(buffer), done = std::move(done)](
                             Status status) mutable { done(std::move(status)); });
        });
}

Status Engine::zero(const VolumeId& id, std::uint64_t offset, std::uint64_t length,
                    Deadline deadline) {
    return impl_->with_volume(id, deadline, [offset, length](Volume& volume, Done done) {
        volume.zero(offset, length, false, std::move(done));
    });
}

Status Engine::flush(const VolumeId& id, Deadline deadline) {
    return impl_->with_volume(id, deadline,
                              [](Volume& volume, Done done) { volume.flush(std::move(done)); });
}

Status Engine::drop_layer(const LayerId& id, Deadline deadline) {
    return impl_->call<void>(deadline, [impl = impl_.get(), id](Done done) {
        impl->owner().drop_layer(id, std::move(done));
    });
}

Result<std::vector<LayerId>> Engine::list_layers(Deadline deadline) {
    return impl_->call<std::vector<LayerId>>(
        deadline, [impl = impl_.get()](auto done) { impl->owner().list_layers(std::move(done)); });
}

bool Engine::is_open(const VolumeId& id) {
    const auto answer = impl_->call<bool>(Deadline::never(), [impl = impl_.get(), id](auto done) {
        done(impl->owner().is_open(id));
    });
    return answer.value_or(false);
}

std::string Engine::backend_name() const {
    return std::string(impl_->reactor().backend_name());
}

}  // namespace kiln::block
