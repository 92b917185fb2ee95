// SPDX-License-Identifier: Apache-2.0
#include "block/engine.h"

#include <algorithm>

#include "block/detail/boot.h"
#include "block/detail/engine_impl.h"
#include "block/limits.h"
#include "util/fs.h"

namespace kiln::block {
namespace {

Error too_large() {
    return Error(Code::invalid_argument,
                 "at most " + std::to_string(kMaxRequestBytes) + " bytes in one call");
}

}  // namespace

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
    if (options.reactors < 1 || options.reactors > kMaxReactors) {
        return Error(Code::invalid_argument,
                     "an engine has 1 to " + std::to_string(kMaxReactors) + " reactors");
    }
    if (options.boot_id.empty()) {
        TRY_ASSIGN(options.boot_id, this_boot());
    }
    if (options.boot_id.size() > 39) {
        return Error(Code::invalid_argument, "a boot id has at most 39 bytes");
    }
    TRY(make_directories(options.directory, 0700));
    std::vector<Impl::Part> parts(options.reactors);
    for (Impl::Part& part : parts) {
        TRY_ASSIGN(part.reactor, io::Reactor::create(options.backend, clock));
        io::Scheduler& scheduler = part.reactor->scheduler();
        TRY_ASSIGN(part.tier.objects, images.objects(part.reactor->io(), scheduler), "image tier");
        part.tier.index = images.index(scheduler);
    }
    return std::unique_ptr<Engine>(new Engine(std::make_unique<Impl>(
        std::move(parts), std::move(images), contents, std::move(options), clock, rng)));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Status Engine::open_volume(const VolumeSpec& spec, Deadline deadline) {
    return impl_->call<void>(
        impl_->group().place(spec.id), deadline,
        [spec](VolumeOwner& owner, Done done) { owner.open(spec, std::move(done)); });
}

Status Engine::close_volume(const VolumeId& id, Deadline deadline) {
    return impl_->call_of<void>(id, deadline, [id](VolumeOwner& owner, Done done) {
        owner.close(id, false, std::move(done));
    });
}

Status Engine::seal_volume(const VolumeId& id, Deadline deadline) {
    return impl_->call_of<void>(id, deadline, [id](VolumeOwner& owner, Done done) {
        owner.close(id, true, std::move(done));
    });
}

Status Engine::export_volume(const VolumeId& id, const std::string& socket_path, bool read_only,
                             Deadline deadline) {
    return impl_->call_of<void>(id, deadline,
                                [id, socket_path, read_only](VolumeOwner& owner, Done done) {
                                    owner.add_export(id, socket_path, read_only, std::move(done));
                                });
}

Status Engine::export_vhost_user(const VolumeId& id, const std::string& socket_path,
                                 const std::string& disk_name, bool read_only, Deadline deadline) {
    return impl_->call_of<void>(
        id, deadline, [id, socket_path, disk_name, read_only](VolumeOwner& owner, Done done) {
            owner.add_vhost_export(id, socket_path, disk_name, read_only, std::move(done));
        });
}

Status Engine::unexport_volume(const VolumeId& id, const std::string& socket_path,
                               Deadline deadline) {
    return impl_->call_of<void>(id, deadline, [id, socket_path](VolumeOwner& owner, Done done) {
        owner.remove_export(id, socket_path, std::move(done));
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
    return impl_->call_of<DataPage>(id, deadline,
                                    [id, offset, most](VolumeOwner& owner, auto done) {
                                        const auto volume = owner.find(id);
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

CutEnd Engine::cut_volumes(std::vector<CutMember> members, std::string set_id, Deadline deadline) {
    auto end = impl_->call_group<CutEnd>(deadline, [&](OwnerGroup& group, auto done) {
        group.cut(std::move(members), std::move(set_id),
                  [done = std::move(done)](CutEnd how) mutable { done(std::move(how)); });
    });
    return end ? *std::move(end) : CutEnd{std::move(end).error()};
}

Status Engine::prepare_growth(const VolumeId& id, std::uint64_t size_bytes, Deadline deadline) {
    return impl_->call_of<void>(id, deadline, [id, size_bytes](VolumeOwner& owner, Done done) {
        owner.prepare_growth(id, size_bytes, std::move(done));
    });
}

Status Engine::grow_volume(const VolumeId& id, std::uint64_t size_bytes, Deadline deadline) {
    return impl_->call_of<void>(id, deadline, [id, size_bytes](VolumeOwner& owner, Done done) {
        done(owner.grow(id, size_bytes));
    });
}

Result<std::optional<Freeze>> Engine::freeze_of(const LayerId& id, Deadline deadline) {
    return impl_->call_first<std::optional<Freeze>>(
        deadline, [id](VolumeOwner& owner, auto done) { owner.freeze_of(id, std::move(done)); });
}

Result<LayerFacts> Engine::layer_facts(const LayerId& id, Deadline deadline) {
    return impl_->call_first<LayerFacts>(
        deadline, [id](VolumeOwner& owner, auto done) { owner.layer_facts(id, std::move(done)); });
}

Status Engine::seal_layer(const LayerId& id, std::uint64_t size_bytes, Deadline deadline) {
    return impl_->call_first<void>(deadline, [id, size_bytes](VolumeOwner& owner, Done done) {
        owner.seal_layer(id, size_bytes, std::move(done));
    });
}

Status Engine::open_content(const VolumeId& name, const ContentId& content, Deadline deadline) {
    return impl_->call<void>(impl_->group().place(name), deadline,
                             [name, content](VolumeOwner& owner, Done done) {
                                 owner.open_content(name, content, std::move(done));
                             });
}

Result<VerifyPage> Engine::verify(const VolumeId& name, VerifyPlace place, Deadline deadline) {
    return impl_->call_of<VerifyPage>(name, deadline, [name, place](VolumeOwner& owner, auto done) {
        owner.verify(name, place, std::move(done));
    });
}

Result<DestagedContent> Engine::destage(const ContentId& content, std::uint64_t epoch,
                                        Deadline deadline) {
    const auto answer =
        impl_->start_first<DestagedContent>([content, epoch](VolumeOwner& owner, auto done) {
            owner.destage(content, epoch, std::move(done));
        });
    if (!answer->given_by(deadline)) {
        cancel_destage();
    }
    return answer->take(Deadline::never());
}

void Engine::cancel_destage() {
    (void)impl_->start_first<void>([](VolumeOwner& owner, Done) { owner.cancel_destage(); });
}

Status Engine::merge_layers(LayerMerge merge, Deadline deadline) {
    const auto answer =
        impl_->start_first<void>([merge = std::move(merge)](VolumeOwner& owner, Done done) mutable {
            owner.merge(std::move(merge), std::move(done));
        });
    if (!answer->given_by(deadline)) {
        cancel_destage();
    }
    return answer->take(Deadline::never());
}

Status Engine::content_rooted(const ContentId& content, Deadline deadline) {
    return impl_->call_group<void>(deadline, [&](OwnerGroup& group, Done done) {
        group.content_rooted(content, std::move(done));
    });
}

EngineCounters Engine::counters() {
    auto answer = impl_->call_group<EngineCounters>(
        Deadline::never(), [](OwnerGroup& group, auto done) { group.counters(std::move(done)); });
    EngineCounters all = std::move(answer).value_or(EngineCounters{});
    const AheadCounters ahead = impl_->cache().ahead();
    all.read_ahead_bytes = ahead.bytes;
    all.read_ahead_used_bytes = ahead.used;
    all.read_ahead_wasted_bytes = ahead.wasted;
    return all;
}

Result<std::vector<VolumeTrouble>> Engine::troubles(Deadline deadline) {
    return impl_->call_group<std::vector<VolumeTrouble>>(
        deadline, [](OwnerGroup& group, auto done) { group.troubles(std::move(done)); });
}

Status Engine::drop_layer(const LayerId& id, Deadline deadline) {
    return impl_->call_first<void>(
        deadline, [id](VolumeOwner& owner, Done done) { owner.drop_layer(id, std::move(done)); });
}

Result<std::vector<LayerId>> Engine::list_layers(Deadline deadline) {
    return impl_->call_first<std::vector<LayerId>>(
        deadline, [](VolumeOwner& owner, auto done) { owner.list_layers(std::move(done)); });
}

bool Engine::is_open(const VolumeId& id) {
    return impl_
        ->call_of<bool>(id, Deadline::never(),
                        [id](VolumeOwner& owner, auto done) { done(owner.is_open(id)); })
        .value_or(false);
}

std::string Engine::backend_name() const {
    return impl_->backend_name();
}

}  // namespace kiln::block
