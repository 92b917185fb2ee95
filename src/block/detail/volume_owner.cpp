// SPDX-License-Identifier: Apache-2.0
#include "block/detail/volume_owner.h"

#include "block/detail/join.h"
#include "block/limits.h"
#include "block/local_layer.h"
#include "util/log.h"

namespace kiln::block {
namespace {

Status check_spec(const VolumeSpec& spec) {
    if (!valid_id(spec.id.str()) || !valid_id(spec.active.str())) {
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

Result<std::vector<ContentRecord>> check_chain(std::vector<ContentRecord> chain,
                                               const ContentId& base, std::uint64_t volume_bytes) {
    if (chain.empty() || chain.front().id != base || chain.size() > kMaxChainLayers) {
        return Error(Code::data_loss, "the chain of content " + base.str() + " is broken");
    }
    if (chain.front().size_bytes > volume_bytes) {
        return Error(Code::invalid_argument,
                     "the volume is smaller than its content " + base.str());
    }
    for (std::size_t i = 0; i < chain.size(); ++i) {
        const ContentRecord& record = chain[i];
        const bool last = i + 1 == chain.size();
        const ContentId next = last ? ContentId() : chain[i + 1].id;
        if (record.state == ContentState::rooted) {
            return Error(Code::unsupported, "content " + record.id.str() +
                                                " is in the image tier, which is not built");
        }
        if (record.layer.empty() || record.parent != next) {
            return Error(Code::data_loss,
                         "the chain of content " + base.str() + " is broken at " + record.id.str());
        }
        // A larger parent would show through behind the end of its child.
        if (!last && chain[i + 1].size_bytes > record.size_bytes) {
            return Error(Code::data_loss,
                         "content " + record.id.str() + " is smaller than its parent");
        }
    }
    return chain;
}

struct VolumeOwner::Opening {
    VolumeSpec spec;
    std::vector<ContentRecord> chain;
    std::size_t next = 0;
    Stack stack;
    Done done;
};

VolumeOwner::~VolumeOwner() {
    INVARIANT(volumes_.empty());
}

Result<Volume*> VolumeOwner::find(const VolumeId& id) {
    const auto found = volumes_.find(id);
    if (found == volumes_.end()) {
        return Error(Code::failed_precondition, "volume " + id.str() + " is not open");
    }
    if (found->second->state != State::open) {
        return Error(Code::failed_precondition,
                     "volume " + id.str() + " is being opened or closed");
    }
    return found->second->volume.get();
}

// --- open ---

void VolumeOwner::open(VolumeSpec spec, Done done) {
    if (Status status = check_spec(spec); !status) {
        done(std::move(status));
        return;
    }
    if (volumes_.contains(spec.id)) {
        done(Error(Code::failed_precondition, "volume " + spec.id.str() + " is open"));
        return;
    }
    auto entry = std::make_unique<Entry>();
    entry->layers.push_back(spec.active);
    for (const auto& [id, other] : volumes_) {
        if (other->layers.front() == spec.active) {
            done(Error(Code::failed_precondition,
                       "layer " + spec.active.str() + " is active in volume " + id.str()));
            return;
        }
    }
    volumes_.emplace(spec.id, std::move(entry));
    auto opening = std::make_shared<Opening>();
    opening->spec = std::move(spec);
    opening->done = std::move(done);
    if (opening->spec.base.empty()) {
        open_active(std::move(opening));
        return;
    }
    // The answer may come on another thread.
    const ContentId base = opening->spec.base;
    contents_.chain(base, [this, opening](Result<std::vector<ContentRecord>> chain) {
        context_.scheduler.post([this, opening, chain = std::move(chain)]() mutable {
            open_chain(std::move(opening), std::move(chain));
        });
    });
}

void VolumeOwner::open_chain(std::shared_ptr<Opening> opening,
                             Result<std::vector<ContentRecord>> chain) {
    if (chain) {
        chain = check_chain(*std::move(chain), opening->spec.base, opening->spec.size_bytes);
    }
    if (!chain) {
        open_failed(std::move(opening), std::move(chain.error()));
        return;
    }
    opening->chain = *std::move(chain);
    Entry& entry = *volumes_.at(opening->spec.id);
    for (const ContentRecord& record : opening->chain) {
        entry.layers.push_back(record.layer);
    }
    open_active(std::move(opening));
}

void VolumeOwner::open_active(std::shared_ptr<Opening> opening) {
    const VolumeSpec& spec = opening->spec;
    open_local_layer(context_,
                     {.layer = spec.active,
                      .volume = spec.id,
                      .size_bytes = spec.size_bytes,
                      .writable = true,
                      .create = spec.create_active},
                     [this, opening](Result<std::shared_ptr<Layer>> layer) {
                         if (!layer) {
                             open_failed(opening, std::move(layer.error()));
                             return;
                         }
                         opening->stack.active = *std::move(layer);
                         open_next(opening);
                     });
}

void VolumeOwner::open_next(std::shared_ptr<Opening> opening) {
    if (opening->next == opening->chain.size()) {
        opened(std::move(opening));
        return;
    }
    const ContentRecord& record = opening->chain[opening->next++];
    open_local_layer(context_,
                     {.layer = record.layer, .volume = {}, .size_bytes = record.size_bytes},
                     [this, opening](Result<std::shared_ptr<Layer>> layer) {
                         if (!layer) {
                             // For a content, files that are missing are lost.
                             Error error = std::move(layer.error());
                             const bool missing = error.code() == Code::not_found;
                             open_failed(opening, missing ? Error(Code::data_loss, error.message())
                                                          : std::move(error));
                             return;
                         }
                         opening->stack.sealed.push_back(*std::move(layer));
                         open_next(opening);
                     });
}

void VolumeOwner::open_failed(std::shared_ptr<Opening> opening, Error error) {
    auto join = Join::create([this, opening, error = std::move(error)](Status) mutable {
        erase(opening->spec.id);
        opening->done(std::move(error).with("open volume " + opening->spec.id.str()));
    });
    if (opening->stack.active) {
        opening->stack.active->close(join->arm());
    }
    for (const auto& layer : opening->stack.sealed) {
        layer->close(join->arm());
    }
    join->ready();
}

void VolumeOwner::opened(std::shared_ptr<Opening> opening) {
    Entry& entry = *volumes_.at(opening->spec.id);
    entry.volume =
        std::make_unique<Volume>(context_.scheduler, opening->spec.id, opening->spec.size_bytes,
                                 std::make_shared<const Stack>(std::move(opening->stack)));
    entry.state = State::open;
    auto settled = std::move(entry.settled);
    entry.settled.clear();
    opening->done(ok());
    for (io::Callback<>& callback : settled) {
        callback();
    }
}

// --- close ---

void VolumeOwner::close_exports(Entry& entry, io::Callback<> done) {
    auto join = Join::create([done = std::move(done)](Status) mutable { done(); });
    for (auto& [path, server] : entry.exports) {
        server->close([armed = join->arm()]() mutable { armed(ok()); });
    }
    join->ready();
}

void VolumeOwner::close(const VolumeId& id, bool seal, Done done) {
    if (const auto volume = find(id); !volume) {
        done(volume.error());
        return;
    }
    Entry& entry = *volumes_.at(id);
    entry.state = State::closing;
    close_exports(entry, [this, id, seal, &entry, done = std::move(done)]() mutable {
        entry.exports.clear();
        auto closed = [this, id, done = std::move(done)](Status status) mutable {
            erase(id);
            if (!status) {
                log_error("block", "close volume " + id.str() + ": " + status.error().message());
            }
            done(std::move(status));
        };
        if (seal) {
            entry.volume->seal_and_close({}, std::move(closed));
        } else {
            entry.volume->close(std::move(closed));
        }
    });
}

void VolumeOwner::erase(const VolumeId& id) {
    const auto found = volumes_.find(id);
    auto settled = std::move(found->second->settled);
    volumes_.erase(found);
    for (io::Callback<>& callback : settled) {
        callback();
    }
}

void VolumeOwner::close_all(io::Callback<> done) {
    if (volumes_.empty()) {
        done();
        return;
    }
    auto& [id, entry] = *volumes_.begin();
    if (entry->state == State::open) {
        close(VolumeId(id), false,
              [this, done = std::move(done)](Status) mutable { close_all(std::move(done)); });
    } else {
        entry->settled.push_back(
            [this, done = std::move(done)]() mutable { close_all(std::move(done)); });
    }
}

// --- exports and layers ---

void VolumeOwner::add_export(const VolumeId& id, const std::string& socket_path, bool read_only,
                             Done done) {
    const auto volume = find(id);
    if (!volume) {
        done(volume.error());
        return;
    }
    for (const auto& [other, entry] : volumes_) {
        if (entry->exports.contains(socket_path)) {
            done(Error(Code::failed_precondition, socket_path + " exports volume " + other.str()));
            return;
        }
    }
    auto server =
        nbd::Export::create(sockets_, context_.scheduler, **volume, socket_path, read_only);
    if (!server) {
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
    std::shared_ptr<nbd::Export> server = std::move(found->second);
    exports.erase(found);
    nbd::Export& closing = *server;
    closing.close([server = std::move(server), done = std::move(done)]() mutable { done(ok()); });
}

void VolumeOwner::drop_layer(const LayerId& layer, Done done) {
    if (!valid_id(layer.str())) {
        done(Error(Code::invalid_argument, "not a layer id"));
        return;
    }
    for (const auto& [id, entry] : volumes_) {
        if (std::find(entry->layers.begin(), entry->layers.end(), layer) != entry->layers.end()) {
            done(Error(Code::failed_precondition,
                       "layer " + layer.str() + " is in use by volume " + id.str()));
            return;
        }
    }
    remove_layer_files(context_, layer, std::move(done));
}

}  // namespace kiln::block
