// SPDX-License-Identifier: Apache-2.0
#include "block/detail/volume_owner.h"

#include "block/detail/join.h"
#include "block/export/nbd_export.h"
#include "block/export/vhost_export.h"
#include "util/log.h"

namespace kiln::block {
namespace {

Status check_spec(const VolumeSpec& spec) {
    if (!valid_id(spec.active.str())) {
        return Error(Code::invalid_argument,
                     "a volume or layer id must be 1-63 of a-z, 0-9 and '-'");
    }
    if (spec.size_bytes == 0 || spec.size_bytes % kBlockBytes != 0 ||
        spec.size_bytes > kMaxVolumeBytes) {
        return Error(Code::invalid_argument,
                     "a volume has a multiple of 4096 bytes, at most 64 TiB");
    }
    return ok();
}

}  // namespace

VolumeOwner::~VolumeOwner() {
    INVARIANT(volumes_.empty() && cuts_.empty() && !destage_ && !merge_);
}

Result<OpenVolume*> VolumeOwner::find_open(const VolumeId& id) {
    const auto found = volumes_.find(id);
    if (found == volumes_.end()) {
        return Error(Code::failed_precondition, "volume " + id.str() + " is not open");
    }
    if (found->second->state != State::open) {
        return Error(Code::failed_precondition,
                     "volume " + id.str() + " is being opened or closed");
    }
    return found->second.get();
}

Result<Volume*> VolumeOwner::find(const VolumeId& id) {
    TRY_ASSIGN(OpenVolume * volume, find_open(id));
    return volume->volume.get();
}

EngineCounters VolumeOwner::counters() const {
    return {.layers_created = layers_.created(),
            .layers_opened = layers_.opened(),
            .chunk_reads = parts_.images.store.gets(),
            .packs_written = packs_written_,
            .cuts = cut_count_};
}

void VolumeOwner::add_troubles(std::vector<VolumeTrouble>& list) const {
    for (const auto& [id, open] : volumes_) {
        if (open->state != State::open || open->volume->read_only()) {
            continue;  // who looks at a content is told by its own reads
        }
        const bool stopped = open->volume->stack()->active->failed();
        const auto& first = open->volume->trouble();
        if (first || stopped) {
            list.push_back(
                {id, stopped,
                 first.value_or(Error(Code::io_error, "a sync of its active layer failed"))});
        }
    }
}

// --- open ---

// Whoever asked the directory for a place got it for this owner, which gives it back unless the
// volume is here.
Status VolumeOwner::refuse_new(const VolumeId& id, Error error) {
    if (!volumes_.contains(id)) {
        shared_.directory.release(id, number_);
    }
    return error;
}

Result<OpenVolume*> VolumeOwner::enter(const VolumeId& id) {
    if (!valid_id(id.str())) {
        return refuse_new(id, Error(Code::invalid_argument,
                                    "a volume or layer id must be 1-63 of a-z, 0-9 and '-'"))
            .error();
    }
    if (volumes_.contains(id) || !shared_.directory.claim(id, number_)) {
        return Error(Code::failed_precondition, "volume " + id.str() + " is open");
    }
    auto& volume = volumes_[id];
    volume = std::make_unique<OpenVolume>();
    volume->id = id;
    return volume.get();
}

void VolumeOwner::open(VolumeSpec spec, Done done) {
    if (Status fine = check_spec(spec); !fine) {
        done(refuse_new(spec.id, std::move(fine.error())));
        return;
    }
    const auto volume = enter(spec.id);
    if (!volume) {
        done(volume.error());
        return;
    }
    (*volume)->base = spec.base;
    StackOpener::start(parts_,
                       {.base = spec.base,
                        .volume_bytes = spec.size_bytes,
                        .active = LayerOpen{.layer = spec.active,
                                            .volume = spec.id,
                                            .size_bytes = spec.size_bytes,
                                            .writable = true,
                                            .create = spec.create_active}},
                       [this, id = spec.id, size = spec.size_bytes,
                        done = std::move(done)](Result<OpenedStack> stack) mutable {
                           opened(id, size, std::move(stack), std::move(done));
                       });
}

void VolumeOwner::open_content(const VolumeId& name, const ContentId& content, Done done) {
    if (content.empty()) {
        done(refuse_new(name, Error(Code::invalid_argument, "no content is named")));
        return;
    }
    const auto volume = enter(name);
    if (!volume) {
        done(volume.error());
        return;
    }
    (*volume)->base = content;
    StackOpener::start(parts_, {.base = content},
                       [this, name, done = std::move(done)](Result<OpenedStack> stack) mutable {
                           const std::uint64_t size = stack ? stack->chain.front().size_bytes : 0;
                           opened(name, size, std::move(stack), std::move(done));
                       });
}

void VolumeOwner::opened(const VolumeId& id, std::uint64_t size_bytes, Result<OpenedStack> stack,
                         Done done) {
    if (!stack) {
        erase(id);
        done(std::move(stack.error()).with("open volume " + id.str()));
        return;
    }
    OpenVolume& volume = *volumes_.at(id);
    volume.active = std::move(stack->active);
    volume.layers = std::move(stack->layers);
    for (const ContentRecord& record : stack->chain) {
        volume.contents.push_back(record.id);
    }
    volume.volume = std::make_unique<Volume>(
        context_.scheduler, id, size_bytes, std::make_shared<const Stack>(std::move(stack->stack)));
    volume.volume->read_ahead(parts_.images.read_ahead);
    if (shared_.host_limit) {
        volume.volume->share(*shared_.host_limit);
    }
    volume.state = State::open;
    auto settled = std::move(volume.settled);
    volume.settled.clear();
    done(ok());
    for (io::Callback<>& callback : settled) {
        callback();
    }
}

// --- close ---

void VolumeOwner::close_exports(OpenVolume& volume, io::Callback<> done) {
    auto join = Join::create([this, &volume, done = std::move(done)](Status) mutable {
        for (const auto& [path, server] : volume.exports) {
            shared_.directory.release_path(path);
        }
        volume.exports.clear();
        done();
    });
    for (auto& [path, server] : volume.exports) {
        server->close([armed = join->arm()]() mutable { armed(ok()); });
    }
    join->ready();
}

void VolumeOwner::close(const VolumeId& id, bool seal, Done done) {
    const auto found = find_open(id);
    if (!found) {
        done(found.error());
        return;
    }
    OpenVolume& volume = **found;
    if (seal && volume.volume->read_only()) {
        done(Error(Code::failed_precondition, "volume " + id.str() + " is a content, read-only"));
        return;
    }
    volume.state = State::closing;
    io::Callback<> work = [this, &volume, seal, done = std::move(done)]() mutable {
        close_exports(volume, [this, &volume, seal, done = std::move(done)]() mutable {
            closing(volume, seal, std::move(done));
        });
    };
    if (volume.busy == 0) {
        work();
    } else {
        volume.idle = std::move(work);  // what is under way needs the volume to the end
    }
}

void VolumeOwner::closing(OpenVolume& volume, bool seal, Done done) {
    // A sealed layer above an unsealed one would be a content that cannot be opened.
    Status refused =
        seal && volume.seal_failed
            ? Status(Error(Code::failed_precondition, "a layer below could not be sealed"))
            : ok();
    auto closed = [this, id = volume.id, refused, done = std::move(done)](Status status) mutable {
        erase(id);
        if (status) {
            status = std::move(refused);
        }
        if (!status) {
            log_error("block", "close volume " + id.str() + ": " + status.error().message());
        }
        done(std::move(status));
    };
    if (seal && refused) {
        volume.volume->seal_and_close({}, std::move(closed));
    } else {
        volume.volume->close(std::move(closed));
    }
}

void VolumeOwner::erase(const VolumeId& id) {
    const auto found = volumes_.find(id);
    auto settled = std::move(found->second->settled);
    volumes_.erase(found);
    shared_.directory.release(id, number_);
    for (io::Callback<>& callback : settled) {
        callback();
    }
}

void VolumeOwner::close_all(io::Callback<> done) {
    if (destage_ || merge_) {
        cancel_destage();
        background_ended_ = [this, done = std::move(done)]() mutable {
            close_all(std::move(done));
        };
        return;
    }
    if (volumes_.empty()) {
        layers_.when_idle(std::move(done));
        return;
    }
    auto& [id, volume] = *volumes_.begin();
    if (volume->state == State::open) {
        close(VolumeId(id), false,
              [this, done = std::move(done)](Status) mutable { close_all(std::move(done)); });
    } else {
        volume->settled.push_back(
            [this, done = std::move(done)]() mutable { close_all(std::move(done)); });
    }
}

// --- exports and layers ---

void VolumeOwner::add_export(const VolumeId& id, const std::string& socket_path, bool read_only,
                             Done done) {
    const MakeExport make = [&](Volume& volume) -> Result<std::unique_ptr<VolumeExport>> {
        return nbd::Export::create(sockets_, context_.scheduler, volume, socket_path, read_only);
    };
    add_export(id, socket_path, read_only, make, std::move(done));
}

void VolumeOwner::add_vhost_export(const VolumeId& id, const std::string& socket_path,
                                   const std::string& disk_name, bool read_only, Done done) {
    const MakeExport make = [&](Volume& volume) -> Result<std::unique_ptr<VolumeExport>> {
        return vhost::Export::create(sockets_, context_.scheduler, volume, socket_path,
                                     {.name = disk_name, .read_only = read_only});
    };
    add_export(id, socket_path, read_only, make, std::move(done));
}

void VolumeOwner::add_export(const VolumeId& id, const std::string& socket_path, bool read_only,
                             const MakeExport& make, Done done) {
    const auto volume = find(id);
    if (!volume) {
        done(volume.error());
        return;
    }
    if (!read_only && (*volume)->read_only()) {
        done(Error(Code::failed_precondition, "volume " + id.str() + " is a content, read-only"));
        return;
    }
    if (const auto other = shared_.directory.claim_path(socket_path, id)) {
        done(Error(Code::failed_precondition, socket_path + " exports volume " + other->str()));
        return;
    }
    auto server = make(**volume);
    if (!server) {
        shared_.directory.release_path(socket_path);
        done(std::move(server.error()).with("export volume " + id.str()));
        return;
    }
    volumes_.at(id)->exports.emplace(socket_path, *std::move(server));
    done(ok());
}

void VolumeOwner::remove_export(const VolumeId& id, const std::string& socket_path, Done done) {
    if (const auto volume = find(id); !volume) {
        done(volume.error());
        return;
    }
    auto& exports = volumes_.at(id)->exports;
    const auto found = exports.find(socket_path);
    if (found == exports.end()) {
        done(Error(Code::failed_precondition,
                   "volume " + id.str() + " is not exported at " + socket_path));
        return;
    }
    std::shared_ptr<VolumeExport> server = std::move(found->second);
    exports.erase(found);
    shared_.directory.release_path(socket_path);
    VolumeExport& closing = *server;
    closing.close([server = std::move(server), done = std::move(done)]() mutable { done(ok()); });
}

void VolumeOwner::drop_layer(const LayerId& layer, Done done) {
    if (!valid_id(layer.str())) {
        done(Error(Code::invalid_argument, "not a layer id"));
        return;
    }
    layers_.drop(layer, std::move(done));
}

}  // namespace kiln::block
