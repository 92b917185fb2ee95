// SPDX-License-Identifier: Apache-2.0
#include "block/detail/stack_opener.h"

#include <algorithm>

#include "block/detail/join.h"
#include "block/limits.h"
#include "util/log.h"

namespace kiln::block {

Result<RootDigest> parse_root_digest(const std::string& hex) {
    const auto bytes = hex_decode(hex);
    if (!bytes || bytes->size() != RootDigest::kBytes) {
        return Error(Code::data_loss, "'" + hex + "' is no root digest");
    }
    return RootDigest::from(*bytes);
}

namespace {

Status check_spares(const ContentRecord& record) {
    if (record.spares.size() > kMaxChainLayers ||
        (record.layer.empty() && !record.spares.empty())) {
        return Error(Code::data_loss,
                     "content " + record.id.str() + " has layers that are not below another");
    }
    std::uint64_t above = record.size_bytes;
    for (const SpareLayer& spare : record.spares) {
        // A larger one would show through, as a parent would.
        if (spare.id.empty() || spare.size_bytes == 0 || spare.size_bytes % kBlockBytes != 0 ||
            spare.size_bytes > above) {
            return Error(Code::data_loss,
                         "layer " + spare.id.str() + " cannot be below " + record.id.str());
        }
        above = spare.size_bytes;
    }
    return ok();
}

}  // namespace

Result<std::vector<ContentRecord>> check_chain(std::vector<ContentRecord> chain,
                                               const ContentId& base, std::uint64_t volume_bytes) {
    // What is below a rooted content does not matter: the tree has it all.
    const auto rooted = std::ranges::find(chain, ContentState::rooted, &ContentRecord::state);
    if (rooted != chain.end()) {
        chain.erase(rooted + 1, chain.end());
    }
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
        if (record.size_bytes == 0 || record.size_bytes % kBlockBytes != 0) {
            return Error(Code::data_loss, "content " + record.id.str() + " has an impossible size");
        }
        if (record.state == ContentState::rooted) {
            TRY(parse_root_digest(record.root_digest), "content " + record.id.str());
            TRY(check_spares(record));
        } else if (record.layer.empty() ||
                   record.parent != (last ? ContentId() : chain[i + 1].id)) {
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

void StackOpener::start(const EngineParts& parts, StackQuery query, Opened done) {
    std::shared_ptr<StackOpener>(new StackOpener(parts, std::move(query), std::move(done)))->ask();
}

void StackOpener::ask() {
    if (query_.base.empty()) {
        parts_.scheduler.post([self = shared_from_this()] { self->open_active(); });
        return;
    }
    // The answer may come on another thread, which must not be the one that lets go of this last.
    auto keep = std::make_shared<std::shared_ptr<StackOpener>>(shared_from_this());
    parts_.contents.chain(query_.base, [keep, &scheduler = parts_.scheduler](
                                           Result<std::vector<ContentRecord>> chain) {
        scheduler.post([self = std::move(*keep), chain = std::move(chain)]() mutable {
            StackOpener& opener = *self;
            opener.check(std::move(chain));
        });
    });
}

void StackOpener::check(Result<std::vector<ContentRecord>> chain) {
    if (chain) {
        const std::uint64_t bytes = query_.volume_bytes != 0 || chain->empty()
                                        ? query_.volume_bytes
                                        : chain->front().size_bytes;
        chain = check_chain(*std::move(chain), query_.base, bytes);
    }
    if (!chain) {
        fail(std::move(chain.error()));
        return;
    }
    result_.chain = *std::move(chain);
    list_layers();
    open_active();
}

void StackOpener::list_layers() {
    for (const ContentRecord& record : result_.chain) {
        const bool spare = record.state == ContentState::rooted;
        if (record.layer.empty() || (spare && !query_.rooted_layers)) {
            continue;
        }
        wanted_.push_back({{record.layer, record.size_bytes}, spare});
        for (const SpareLayer& below : record.spares) {
            wanted_.push_back({below, true});
        }
    }
    for (const Wanted& wanted : wanted_) {
        pins_.emplace_back(parts_.layers, wanted.layer.id);
    }
}

void StackOpener::open_active() {
    if (!query_.active) {
        open_next();
        return;
    }
    parts_.layers.open(*query_.active,
                       [self = shared_from_this()](Result<std::shared_ptr<UsedLayer>> layer) {
                           if (!layer) {
                               self->fail(std::move(layer.error()));
                               return;
                           }
                           self->mine_.push_back(*layer);
                           self->result_.active = *std::move(layer);
                           self->result_.stack.active = self->result_.active;
                           self->open_next();
                       });
}

void StackOpener::open_next() {
    while (next_ < wanted_.size()) {
        const auto& [layer, spare] = wanted_[next_++];
        const auto at_hand = std::ranges::find(query_.at_hand, layer.id, &UsedLayer::id);
        if (at_hand != query_.at_hand.end()) {
            result_.layers.push_back(*at_hand);
            continue;
        }
        parts_.layers.open(
            {.layer = layer.id, .volume = {}, .size_bytes = layer.size_bytes},
            [self = shared_from_this(), spare = spare](Result<std::shared_ptr<UsedLayer>> opened) {
                if (!opened) {
                    self->not_opened(spare, std::move(opened.error()));
                    return;
                }
                self->mine_.push_back(*opened);
                self->result_.layers.push_back(*std::move(opened));
                self->open_next();
            });
        return;
    }
    open_base();
}

void StackOpener::not_opened(bool spare, Error error) {
    const bool missing = error.code() == Code::not_found;
    if (spare && (missing || error.code() == Code::data_loss)) {
        // The tree has it, and what is below it: only speed is lost.
        log_warn("block", "left out, since the tree has it all: " + error.message());
        next_ = wanted_.size();
        open_next();
        return;
    }
    // For a content, files that are missing are lost.
    fail(missing ? Error(Code::data_loss, error.message()) : std::move(error));
}

void StackOpener::open_base() {
    if (result_.chain.empty() || result_.chain.back().state != ContentState::rooted) {
        finish();
        return;
    }
    const ContentRecord& record = result_.chain.back();
    TreeReader::open(parts_.images.store, {}, *parse_root_digest(record.root_digest),
                     [self = shared_from_this()](Result<std::shared_ptr<TreeReader>> base) {
                         const ContentRecord& rooted = self->result_.chain.back();
                         if (base && (*base)->root().size_bytes != rooted.size_bytes) {
                             base = Error(Code::data_loss, "its tree has another size");
                         }
                         if (!base) {
                             self->fail(std::move(base.error()).with("content " + rooted.id.str()));
                             return;
                         }
                         self->result_.stack.base = *std::move(base);
                         self->finish();
                     });
}

void StackOpener::finish() {
    pins_.clear();
    result_.stack.sealed.assign(result_.layers.begin(), result_.layers.end());
    result_.stack.index = LayerIndex(parts_.layers_asked);
    done_(std::move(result_));
}

void StackOpener::fail(Error error) {
    pins_.clear();
    const auto join =
        Join::create([self = shared_from_this(), error = std::move(error)](Status) mutable {
            self->mine_.clear();
            self->done_(std::move(error));
        });
    for (const auto& layer : mine_) {
        layer->close(join->arm());
    }
    join->ready();
}

}  // namespace kiln::block
