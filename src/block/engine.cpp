// SPDX-License-Identifier: Apache-2.0
#include "block/engine.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "block/detail/answer.h"
#include "block/detail/boot.h"
#include "block/detail/volume_owner.h"
#include "block/image/marker.h"
#include "block/limits.h"
#include "util/fs.h"

namespace kiln::block {
namespace {

Error too_large() {
    return Error(Code::invalid_argument,
                 "at most " + std::to_string(kMaxRequestBytes) + " bytes in one call");
}

// Two volumes at their most are what the cache has room for (ImageCache).
ReadAheadLimits read_ahead_within(std::size_t cache_bytes) {
    ReadAheadLimits limits;
    limits.most_bytes = std::min<std::uint64_t>(limits.most_bytes, cache_bytes / 8);
    limits.first_bytes = std::min(limits.first_bytes, limits.most_bytes / 2);
    return limits;
}

}  // namespace

class Engine::Impl {
  public:
    struct Tier {
        std::unique_ptr<objects::ObjectStore> objects;
        std::unique_ptr<ChunkIndex> index;
    };
    Impl(std::unique_ptr<io::Reactor> reactor, Tier tier, const ImageTier& images,
         ContentStore& contents, const EngineOptions& options, io::Clock& clock, io::Rng& rng)
        : reactor_(std::move(reactor)),
          clock_(clock),
          tier_(std::move(tier)),
          worker_(reactor_->scheduler(), images.worker_threads),
          cache_(images.cache_bytes),
          images_{.objects = *tier_.objects,
                  .index = *tier_.index,
                  .worker = worker_,
                  .scheduler = reactor_->scheduler(),
                  .rng = rng,
                  .cache = cache_,
                  .store_uuid = options.store_uuid},
          store_(images_),
          owner_(std::in_place, reactor_->sockets(), contents,
                 LayerContext{.io = reactor_->io(),
                              .scheduler = reactor_->scheduler(),
                              .rng = rng,
                              .directory = options.directory,
                              .store_uuid = options.store_uuid,
                              .boot_id = options.boot_id,
                              .durable = options.durable,
                              .geometry = options.geometry,
                              .space = options.space},
                 ImageSide{store_, images.geometry, read_ahead_within(images.cache_bytes)}),
          thread_([this] { reactor_->run(); }) {}

    ~Impl() {
        (void)call<void>(Deadline::never(), [this](Done done) {
            owner_->close_all([done = std::move(done)]() mutable { done(ok()); });
        });
        reactor_->stop();
        thread_.join();
        owner_.reset();
    }

    // Runs `work(done)` on the owner thread.
    template <class T, class Work>
    std::shared_ptr<Answer<T>> start(Work work) {
        INVARIANT_MSG(!reactor_->on_owner_thread(), "a blocking call from a completion");
        auto answer = std::make_shared<Answer<T>>();
        reactor_->scheduler().post([answer, work = std::move(work)]() mutable {
            work(io::Callback<Result<T>>(
                [answer](Result<T> result) { answer->give(std::move(result)); }));
        });
        return answer;
    }
    // The same, waiting for `done`.
    template <class T, class Work>
    Result<T> call(Deadline deadline, Work work) {
        return start<T>(std::move(work))->take(deadline);
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
    ChunkStore& store() { return store_; }
    const io::Reactor& reactor() const { return *reactor_; }
    io::Clock& clock() { return clock_; }

  private:
    const std::unique_ptr<io::Reactor> reactor_;
    io::Clock& clock_;
    const Tier tier_;
    PoolWorker worker_;
    ImageCache cache_;
    const ImageContext images_;
    ChunkStore store_;
    std::optional<VolumeOwner> owner_;
    std::thread thread_;
};

Result<std::unique_ptr<Engine>> Engine::create(EngineOptions options, ImageTier images,
                                               ContentStore& contents, io::Clock& clock,
                                               io::Rng& rng) {
    TRY(options.geometry.check());
    TRY(images.geometry.check());
    if (images.worker_threads == 0) {
        return Error(Code::invalid_argument, "the image tier works with at least one thread");
    }
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
    Impl::Tier tier;
    TRY_ASSIGN(tier.objects, images.objects(reactor->io(), reactor->scheduler()), "image tier");
    tier.index = images.index(reactor->scheduler());
    return std::unique_ptr<Engine>(new Engine(std::make_unique<Impl>(
        std::move(reactor), std::move(tier), images, contents, options, clock, rng)));
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

Status Engine::export_vhost_user(const VolumeId& id, const std::string& socket_path,
                                 const std::string& disk_name, bool read_only, Deadline deadline) {
    return impl_->call<void>(
        deadline, [impl = impl_.get(), id, socket_path, disk_name, read_only](Done done) {
            impl->owner().add_vhost_export(id, socket_path, disk_name, read_only, std::move(done));
        });
}

Status Engine::unexport_volume(const VolumeId& id, const std::string& socket_path,
                               Deadline deadline) {
    return impl_->call<void>(deadline, [impl = impl_.get(), id, socket_path](Done done) {
        impl->owner().remove_export(id, socket_path, std::move(done));
    });
}

Status Engine::limit_volume(const VolumeId& id, const VolumeLimits& limits, Deadline deadline) {
    return impl_->with_volume(id, deadline,
                              [impl = impl_.get(), limits](Volume& volume, Done done) {
                                  volume.limit(impl->clock(), limits);
                                  done(ok());
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

Result<DataPage> Engine::find_data(const VolumeId& id, std::uint64_t offset, std::size_t most,
                                   Deadline deadline) {
    return impl_->call<DataPage>(deadline, [impl = impl_.get(), id, offset, most](auto done) {
        const auto volume = impl->owner().find(id);
        if (!volume) {
            done(volume.error());
            return;
        }
        (*volume)->data_page(offset, most, std::move(done));
    });
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

Status Engine::cut_volumes(std::vector<CutMember> members, std::string set_id, Deadline deadline) {
    return impl_->call<void>(deadline, [impl = impl_.get(), members = std::move(members),
                                        set_id = std::move(set_id)](Done done) mutable {
        impl->owner().cut(std::move(members), std::move(set_id), std::move(done));
    });
}

Status Engine::prepare_growth(const VolumeId& id, std::uint64_t size_bytes, Deadline deadline) {
    return impl_->call<void>(deadline, [impl = impl_.get(), id, size_bytes](Done done) {
        impl->owner().prepare_growth(id, size_bytes, std::move(done));
    });
}

Status Engine::grow_volume(const VolumeId& id, std::uint64_t size_bytes, Deadline deadline) {
    return impl_->call<void>(deadline, [impl = impl_.get(), id, size_bytes](Done done) {
        done(impl->owner().grow(id, size_bytes));
    });
}

Result<std::optional<Freeze>> Engine::freeze_of(const LayerId& id, Deadline deadline) {
    return impl_->call<std::optional<Freeze>>(deadline, [impl = impl_.get(), id](auto done) {
        impl->owner().freeze_of(id, std::move(done));
    });
}

Result<LayerFacts> Engine::layer_facts(const LayerId& id, Deadline deadline) {
    return impl_->call<LayerFacts>(deadline, [impl = impl_.get(), id](auto done) {
        impl->owner().layer_facts(id, std::move(done));
    });
}

Status Engine::seal_layer(const LayerId& id, std::uint64_t size_bytes, Deadline deadline) {
    return impl_->call<void>(deadline, [impl = impl_.get(), id, size_bytes](Done done) {
        impl->owner().seal_layer(id, size_bytes, std::move(done));
    });
}

Status Engine::open_content(const VolumeId& name, const ContentId& content, Deadline deadline) {
    return impl_->call<void>(deadline, [impl = impl_.get(), name, content](Done done) {
        impl->owner().open_content(name, content, std::move(done));
    });
}

Result<VerifyPage> Engine::verify(const VolumeId& name, VerifyPlace place, Deadline deadline) {
    return impl_->call<VerifyPage>(deadline, [impl = impl_.get(), name, place](auto done) {
        impl->owner().verify(name, place, std::move(done));
    });
}

Result<DestagedContent> Engine::destage(const ContentId& content, std::uint64_t epoch,
                                        Deadline deadline) {
    const auto answer =
        impl_->start<DestagedContent>([impl = impl_.get(), content, epoch](auto done) {
            impl->owner().destage(content, epoch, std::move(done));
        });
    if (answer->given_by(deadline)) {
        return answer->take(Deadline::never());
    }
    cancel_destage();
    return answer->take(Deadline::never());
}

void Engine::cancel_destage() {
    (void)impl_->start<void>([impl = impl_.get()](Done) { impl->owner().cancel_destage(); });
}

Status Engine::merge_layers(LayerMerge merge, Deadline deadline) {
    const auto answer =
        impl_->start<void>([impl = impl_.get(), merge = std::move(merge)](auto done) mutable {
            impl->owner().merge(std::move(merge), std::move(done));
        });
    if (!answer->given_by(deadline)) {
        cancel_destage();
    }
    return answer->take(Deadline::never());
}

Status Engine::content_rooted(const ContentId& content, Deadline deadline) {
    return impl_->call<void>(deadline, [impl = impl_.get(), content](Done done) {
        impl->owner().content_rooted(content, std::move(done));
    });
}

Result<PackUses> Engine::mark(std::vector<std::string> roots, Deadline deadline) {
    std::vector<RootRef> refs;
    for (const std::string& root : roots) {
        TRY_ASSIGN(const RootDigest digest, parse_root_digest(root));
        refs.push_back({.domain = {}, .digest = digest});
    }
    return impl_->call<PackUses>(deadline,
                                 [impl = impl_.get(), refs = std::move(refs)](auto done) mutable {
                                     Marker::start(impl->store(), std::move(refs), std::move(done));
                                 });
}

Result<Repacked> Engine::repack(std::vector<RepackPiece> pieces, std::uint64_t epoch,
                                Deadline deadline) {
    const auto run = std::make_shared<std::weak_ptr<Repack>>();  // of the owner thread
    const auto answer = impl_->start<Repacked>([impl = impl_.get(), pieces = std::move(pieces),
                                                epoch, run](auto done) mutable {
        *run = Repack::start(impl->store().context(), epoch, std::move(pieces), std::move(done));
    });
    if (!answer->given_by(deadline)) {
        (void)impl_->start<void>([run](Done) {
            if (const auto repack = run->lock()) {
                repack->cancel();
            }
        });
    }
    return answer->take(Deadline::never());
}

Result<TreeUsage> Engine::measure_tree(const std::string& root,
                                       const std::vector<std::string>& others, Deadline deadline) {
    UsageQuery query;
    TRY_ASSIGN(query.root, parse_root_digest(root));
    for (const std::string& other : others) {
        TRY_ASSIGN(query.others.emplace_back(), parse_root_digest(other));
    }
    return impl_->call<TreeUsage>(
        deadline, [impl = impl_.get(), query = std::move(query)](auto done) mutable {
            block::measure_tree(impl->store(), std::move(query), std::move(done));
        });
}

Result<LeafPage> Engine::diff_trees(const std::string& a, const std::string& b,
                                    std::uint64_t from_leaf, std::size_t limit, Deadline deadline) {
    DiffQuery query{.from_leaf = from_leaf, .limit = limit};
    if (!a.empty()) {
        TRY_ASSIGN(query.a, parse_root_digest(a));
    }
    if (!b.empty()) {
        TRY_ASSIGN(query.b, parse_root_digest(b));
    }
    return impl_->call<LeafPage>(deadline, [impl = impl_.get(), query](auto done) {
        diff_leaves(impl->store(), query, std::move(done));
    });
}

Result<Bytes> Engine::read_pack(const PackId& pack, Deadline deadline) {
    return impl_->call<Bytes>(deadline, [impl = impl_.get(), pack](auto done) {
        const ImageContext& images = impl->store().context();
        images.objects.get(pack_name(images.store_uuid, pack), 0, kMaxPackBytes,
                           {.timeout = kObjectTimeout}, std::move(done));
    });
}

Status Engine::remove_pack(const PackId& pack, Deadline deadline) {
    return impl_->call<void>(deadline, [impl = impl_.get(), pack](Done done) {
        const ImageContext& images = impl->store().context();
        images.objects.remove(pack_name(images.store_uuid, pack), {.timeout = kObjectTimeout},
                              std::move(done));
    });
}

EngineCounters Engine::counters() {
    return impl_
        ->call<EngineCounters>(Deadline::never(),
                               [impl = impl_.get()](auto done) { done(impl->owner().counters()); })
        .value_or(EngineCounters{});
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
