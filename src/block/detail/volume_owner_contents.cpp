// SPDX-License-Identifier: Apache-2.0
// VolumeOwner, second part: cuts, destage, and what follows when a content is rooted.
#include <algorithm>
#include <set>

#include "block/detail/join.h"
#include "block/detail/layer_check.h"
#include "block/detail/volume_owner.h"
#include "block/image/tree_check.h"

namespace kiln::block {

// --- cuts ---

Result<std::vector<Cut::Member>> VolumeOwner::check_cut(const std::vector<CutMember>& members) {
    std::vector<Cut::Member> found;
    for (const CutMember& member : members) {
        TRY_ASSIGN(OpenVolume * volume, find_open(member.volume));
        if (volume->volume->read_only()) {
            return Error(Code::failed_precondition,
                         "volume " + member.volume.str() + " is a content, read-only");
        }
        if (volume->growing) {
            return Error(Code::failed_precondition,
                         "volume " + member.volume.str() + " is growing");
        }
        found.push_back({*volume, member.successor, member.content, member.layer});
    }
    return found;
}

void VolumeOwner::cut(CutPart part, Done done) {
    auto checked = check_cut(part.members);
    if (!checked) {
        // The other parts are not to wait for this one.
        part.instant->come(context_.scheduler, checked.error(), [](Status) {});
        done(std::move(checked.error()));
        return;
    }
    for (const Cut::Member& member : *checked) {
        ++member.volume.busy;
    }
    cuts_.push_back({*std::move(checked), std::move(part), std::move(done)});
    start_cuts();
}

// Those that no earlier one stands before: the instants of one volume come in the order of the
// calls, as the catalog wrote the successors.
void VolumeOwner::start_cuts() {
    std::set<const OpenVolume*> taken;
    for (auto cut = cuts_.begin(); cut != cuts_.end(); ++cut) {
        bool free = true;
        for (const Cut::Member& member : cut->members) {
            free = taken.insert(&member.volume).second && free;
        }
        if (free && !cut->started) {
            start_cut(cut);
        }
    }
}

void VolumeOwner::start_cut(std::list<PendingCut>::iterator cut) {
    cut->started = true;
    Cut::start(
        parts_, cut->members, cut->part.set_id, cut->part.instant,
        [this, cut](bool swapped) {
            cut_count_ += swapped && cut->part.leads ? 1 : 0;
            cuts_.erase(cut);
            start_cuts();
        },
        std::move(cut->done));
}

// --- growth ---

// Not beside a cut: its successor has the size the volume had when it was made.
Result<OpenVolume*> VolumeOwner::check_growth(const VolumeId& id, std::uint64_t size_bytes) {
    TRY_ASSIGN(OpenVolume * volume, find_open(id));
    if (volume->volume->read_only()) {
        return Error(Code::failed_precondition, "volume " + id.str() + " is a content, read-only");
    }
    if (size_bytes % kBlockBytes != 0 || size_bytes > kMaxVolumeBytes ||
        size_bytes < volume->volume->size_bytes()) {
        return Error(Code::invalid_argument,
                     "a volume only grows, to a multiple of 4096 bytes, at most 64 TiB");
    }
    const auto is_volume = [volume](const Cut::Member& member) { return &member.volume == volume; };
    const auto has_volume = [&](const PendingCut& cut) {
        return std::ranges::any_of(cut.members, is_volume);
    };
    if (volume->growing || std::ranges::any_of(cuts_, has_volume)) {
        return Error(Code::failed_precondition,
                     "volume " + id.str() + " is growing or being cut already");
    }
    return volume;
}

void VolumeOwner::prepare_growth(const VolumeId& id, std::uint64_t size_bytes, Done done) {
    const auto checked = check_growth(id, size_bytes);
    if (!checked) {
        done(checked.error());
        return;
    }
    OpenVolume& volume = **checked;
    volume.growing = true;
    ++volume.busy;
    volume.active->extend(size_bytes / kBlockBytes,
                          [&volume, done = std::move(done)](Status status) mutable {
                              volume.growing = false;
                              volume.release();
                              done(std::move(status));
                          });
}

Status VolumeOwner::grow(const VolumeId& id, std::uint64_t size_bytes) {
    TRY_ASSIGN(OpenVolume * volume, check_growth(id, size_bytes));
    if (volume->active->blocks() * kBlockBytes < size_bytes) {
        return Error(Code::failed_precondition, "the layer of " + id.str() + " is smaller");
    }
    if (size_bytes == volume->volume->size_bytes()) {
        return ok();
    }
    volume->volume->grow(size_bytes);
    for (auto& [path, server] : volume->exports) {
        server->advertise_anew();
    }
    return ok();
}

// --- destage ---

void VolumeOwner::destage(const ContentId& content, std::uint64_t epoch,
                          io::Callback<Result<DestagedContent>> done) {
    if (content.empty()) {
        done(Error(Code::invalid_argument, "no content is named"));
        return;
    }
    if (destage_) {
        done(Error(Code::failed_precondition, "another content is being destaged"));
        return;
    }
    destage_ = DestageRun::start(
        parts_, content, epoch,
        [this, content, done = std::move(done)](Result<WrittenTree> tree) mutable {
            destage_.reset();
            if (tree) {
                packs_written_ += tree->packs_written.size();
                done(DestagedContent{.root_digest = tree->root.hex(),
                                     .packs_written = std::move(tree->packs_written),
                                     .packs_hit = {tree->packs_hit.begin(), tree->packs_hit.end()},
                                     .chunks_written = tree->chunks_written,
                                     .chunks_hit = tree->chunks_hit,
                                     .chunks_zero = tree->chunks_zero,
                                     .stored_bytes = tree->stored_bytes});
            } else {
                done(std::move(tree.error()).with("destage content " + content.str()));
            }
            tell_background_ended();
        });
}

void VolumeOwner::tell_background_ended() {
    if (background_ended_) {
        io::Callback<> task = std::move(background_ended_);
        task();
    }
}

void VolumeOwner::cancel_destage() {
    if (destage_) {
        destage_->cancel();
    }
    if (merge_) {
        merge_->cancel();
    }
}

void VolumeOwner::merge(LayerMerge merge, Done done) {
    if (merge_) {
        done(Error(Code::failed_precondition, "other layers are being merged"));
        return;
    }
    merge_ = MergeRun::start(layers_, std::move(merge),
                             [this, done = std::move(done)](Status status) mutable {
                                 merge_.reset();
                                 done(std::move(status));
                                 tell_background_ended();
                             });
}

// --- a content became a tree ---

void VolumeOwner::content_rooted(const ContentId& content, Done done) {
    const auto join = Join::create(std::move(done));
    for (auto& [id, volume] : volumes_) {
        if (volume->state == State::open) {
            restack_if_on(id, content, join->arm());
            continue;
        }
        // Being opened it may have been told the old chain; being closed it lets go of its layers.
        volume->settled.push_back([this, id = id, content, done = join->arm()]() mutable {
            restack_if_on(id, content, std::move(done));
        });
    }
    join->ready();
}

void VolumeOwner::restack_if_on(const VolumeId& id, const ContentId& content, Done done) {
    const auto found = find_open(id);
    if (!found || (*found)->volume->read_only() ||
        std::ranges::find((*found)->contents, content) == (*found)->contents.end()) {
        context_.scheduler.post([done = std::move(done)]() mutable { done(ok()); });
        return;
    }
    OpenVolume& volume = **found;
    ++volume.busy;
    restack(volume, [&volume, done = std::move(done)](Status status) mutable {
        volume.release();
        done(std::move(status));
    });
}

void VolumeOwner::restack(OpenVolume& volume, Done done) {
    StackOpener::start(parts_,
                       {.base = volume.base,
                        .volume_bytes = volume.volume->size_bytes(),
                        .at_hand = volume.layers},
                       [this, &volume, changes = volume.changes,
                        done = std::move(done)](Result<OpenedStack> opened) mutable {
                           if (opened && volume.changes == changes) {
                               take_stack(volume, *std::move(opened), std::move(done));
                           } else if (opened) {
                               // Cut meanwhile: what was found is of the time before.
                               restack(volume, std::move(done));
                           } else {
                               done(std::move(opened.error()).with("volume " + volume.id.str()));
                           }
                       });
}

void VolumeOwner::take_stack(OpenVolume& volume, OpenedStack opened, Done done) {
    const auto join = Join::create(std::move(done));
    const auto stays = [&](const std::shared_ptr<Layer>& layer) {
        return std::ranges::find(opened.stack.sealed, layer) != opened.stack.sealed.end();
    };
    for (const auto& layer : volume.layers) {
        if (!stays(layer)) {
            // Closed by whoever uses it last.
            layer->on_closed([done = join->arm()]() mutable { done(ok()); });
        }
    }
    const Stack& old = *volume.volume->stack();
    opened.stack.active = old.active;
    opened.stack.unsealed = static_cast<std::size_t>(std::count_if(
        old.sealed.begin(), old.sealed.begin() + static_cast<std::ptrdiff_t>(old.unsealed), stays));
    volume.layers = std::move(opened.layers);
    volume.contents.clear();
    for (const ContentRecord& record : opened.chain) {
        volume.contents.push_back(record.id);
    }
    ++volume.changes;
    volume.volume->replace_stack(std::make_shared<const Stack>(std::move(opened.stack)));
    join->ready();
}

// --- reading to check ---

void VolumeOwner::verify(const VolumeId& id, VerifyPlace place,
                         io::Callback<Result<VerifyPage>> done) {
    const auto found = find_open(id);
    if (!found || !(*found)->volume->read_only()) {
        done(found ? Error(Code::failed_precondition,
                           "volume " + id.str() + " is no look at a content")
                   : found.error());
        return;
    }
    OpenVolume& volume = **found;
    const std::size_t layers = volume.layers.size();
    const auto& base = volume.volume->stack()->base;
    if (place.part >= layers + (base ? 1 : 0)) {
        context_.scheduler.post([done = std::move(done)]() mutable { done(VerifyPage{}); });
        return;
    }
    ++volume.busy;
    const bool last = place.part + 1 >= layers + (base ? 1 : 0);
    auto checked = [&volume, part = place.part, last,
                    done = std::move(done)](Result<VerifyPage> page) mutable {
        if (page && page->next) {
            page->next->part = part;
        } else if (page && !last) {
            page->next = VerifyPlace{part + 1, 0};
        }
        volume.release();
        done(std::move(page));
    };
    if (place.part < layers) {
        // Only the last of the contents may have no layer, or several.
        const auto& layer = volume.layers[place.part];
        const auto& content = volume.contents[std::min(place.part, volume.contents.size() - 1)];
        check_layer(context_.scheduler, {layer, layer->id(), content, place.offset},
                    std::move(checked));
    } else {
        check_tree(parts_.images.store.context(),
                   {base->root(), volume.contents.back(), place.offset}, std::move(checked));
    }
}

}  // namespace kiln::block
