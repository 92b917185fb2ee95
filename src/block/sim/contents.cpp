// SPDX-License-Identifier: Apache-2.0
// Snapshots and their contents: looks at them, deletion, and the way into the image tier (D1, D3).
#include "block/sim/history.h"

namespace kiln::block::sim {
namespace {

constexpr std::size_t kMostViews = 2;

template <class Map, class Fits>
std::vector<ContentId> contents_that(const Map& contents, Fits fits) {
    std::vector<ContentId> found;
    for (const auto& [id, content] : contents) {
        if (fits(content)) {
            found.push_back(id);
        }
    }
    return found;
}

}  // namespace

// --- what nobody needs goes ---

bool History::delete_snapshot() {
    const auto named = contents_that(catalog_.contents, [](const SimContent& content) {
        return content.named && content.sealed;
    });
    if (named.empty()) {
        return false;
    }
    delete_snapshot(named[random_.below(named.size())]);
    return true;
}

void History::delete_snapshot(const ContentId& id) {
    note("delete snapshot " + id.str());
    forget(
        [this, id] {
            if (const auto found = catalog_.contents.find(id); found != catalog_.contents.end()) {
                found->second.named = false;
            }
        },
        [] {});
}

// Rows first, then the layers that no row names any more.
void History::forget(std::function<void()> change, std::function<void()> then) {
    auto layers = std::make_shared<std::vector<LayerId>>();
    catalog_.commit(
        [this, change = std::move(change), layers] {
            change();
            *layers = catalog_.sweep();
        },
        mine([this, layers, then = std::move(then)](Status) {
            for (const LayerId& layer : *layers) {
                drop(layer);
            }
            then();
        }));
}

// Somebody may still use it: then it is tried again later.
void History::drop(const LayerId& layer) {
    process_->owner.drop_layer(layer, mine([this, layer](Status status) {
                                   note("dropped " + layer.str() + ": " + outcome(status));
                                   if (status) {
                                       return;
                                   }
                                   process_->unnamed.insert(layer);
                                   if (status.error().code() != Code::failed_precondition) {
                                       judge("drop " + layer.str(), status.error());
                                   }
                               }));
}

bool History::drop_layers() {
    const auto layers = std::exchange(process_->unnamed, {});
    for (const LayerId& layer : layers) {
        drop(layer);
    }
    return !layers.empty();
}

// --- looks ---

bool History::look() {
    const auto ready = contents_that(catalog_.contents, [](const SimContent& content) {
        return content.sealed && content.truth != nullptr;
    });
    if (ready.empty() || process_->views >= kMostViews || machine_.disk.failed_syncs() > 0) {
        return false;
    }
    look_at(ready[random_.below(ready.size())]);
    return true;
}

// A reader takes a lease before it asks what there is: its stack stays, also when the content is
// deleted or rooted meanwhile.
void History::look_at(const ContentId& id) {
    ++process_->views;
    const std::uint64_t lease = next_lease_++;
    const VolumeId name("view-" + std::to_string(lease));
    const SimContent& content = catalog_.contents.at(id);
    const auto truth = content.truth;
    const auto lineage = content.lineage;
    auto buffer = std::make_shared<io::Buffer>(content.record.size_bytes);
    note("look at " + id.str() + " as " + name.str());
    // A collection that has condemned before does not wait for this lease; what it marks at last is
    // what is named then.
    const auto unguarded = std::make_shared<bool>(false);
    const auto read = [this, id, name, lease, truth, lineage, buffer, unguarded](Status status) {
        if (!status && *unguarded && !catalog_.contents.contains(id)) {
            note("deleted and collected while it was looked at");
        } else if (!status) {
            judge("look at " + id.str(), status.error());
        } else if (std::string wrong = truth->doubtful ? implausible(lineage, 0, buffer->view())
                                                       : truth->judge(buffer->view());
                   !wrong.empty()) {
            fail("content " + id.str() + ": " + wrong);
            return;
        } else {
            ++report_.counts["contents verified"];
        }
        note("looked at " + id.str() + ": " + outcome(status));
        process_->owner.close(name, false, mine([this, name, lease](Status closed) {
                                  if (!closed) {
                                      judge("close " + name.str(), closed.error());
                                  }
                                  look_ended(name, lease);
                              }));
    };
    const auto opened = [this, id, name, lease, buffer, read](Status status) {
        if (status) {
            (*process_->owner.find(name))->read(0, buffer->mutable_view(), mine(read));
            return;
        }
        // Deleted before it was found.
        if (catalog_.contents.contains(id)) {
            judge("open " + id.str(), status.error());
        }
        look_ended(name, lease);
    };
    catalog_.commit(
        [this, lease, unguarded, process = process_.get()] {
            catalog_.leases[lease] = {catalog_.epoch, false};
            *unguarded = process->collecting;
        },
        mine([this, id, name, opened](Status) {
            process_->owner.open_content(name, id, mine(opened));
        }));
}

void History::look_ended(const VolumeId& name, std::uint64_t lease) {
    note("end of " + name.str());
    --process_->views;
    catalog_.commit([this, lease] { catalog_.leases.erase(lease); }, [](Status) {});
}

// --- destage ---

bool History::destage() {
    const auto layered = contents_that(catalog_.contents, [](const SimContent& content) {
        return content.sealed && content.record.state == ContentState::layered;
    });
    if (layered.empty() || process_->destaging || machine_.disk.failed_syncs() > 0) {
        return false;
    }
    process_->destaging = true;
    run_destage(layered[random_.below(layered.size())]);
    return true;
}

void History::run_destage(const ContentId& content) {
    const std::uint64_t lease = next_lease_++;
    note("destage " + content.str());
    process_->cancelled = false;
    catalog_.commit(
        [this, lease] {
            catalog_.leases[lease] = {catalog_.epoch, true};
        },
        mine([this, content, lease](Status) {
            process_->owner.destage(content, catalog_.epoch,
                                    mine([this, content, lease](Result<DestagedContent> result) {
                                        destaged(content, lease, std::move(result));
                                    }));
        }));
}

// The root is committed in the transaction that finds no pack it leans on condemned.
void History::destaged(const ContentId& id, std::uint64_t lease, Result<DestagedContent> result) {
    note("destaged " + id.str() + ": " + (result ? "ok" : result.error().to_string()));
    if (!result) {
        const bool cancelled = process_->cancelled && result.error().code() == Code::cancelled;
        if (!cancelled && catalog_.contents.contains(id)) {
            judge("destage " + id.str(), result.error());
        }
    }
    enum class Found { over, again, rooted };
    auto found = std::make_shared<Found>(Found::over);
    auto made = std::make_shared<const Result<DestagedContent>>(std::move(result));
    catalog_.commit(
        [this, id, lease, made, found] {
            catalog_.leases.erase(lease);
            const auto row = catalog_.contents.find(id);
            if (!*made || row == catalog_.contents.end()) {
                return;
            }
            for (const auto& packs : {(*made)->packs_written, (*made)->packs_hit}) {
                for (const PackId& pack : packs) {
                    const auto at = catalog_.packs.find(pack);
                    if (at == catalog_.packs.end() || at->second.state != PackState::stored) {
                        *found = Found::again;
                        return;
                    }
                }
            }
            row->second.record.state = ContentState::rooted;
            row->second.record.root_digest = (*made)->root_digest;
            *found = Found::rooted;
        },
        mine([this, id, found](Status) {
            if (*found == Found::again) {
                ++report_.counts["destages redone"];
                run_destage(id);
                return;
            }
            process_->destaging = false;
            if (*found == Found::rooted) {
                ++report_.counts["contents rooted"];
                note(id.str() + " is rooted");
                unlayer(id);
            }
        }));
}

bool History::cancel_destage() {
    if (!process_->destaging || !random_.one_in(4)) {
        return false;
    }
    process_->cancelled = true;
    process_->owner.cancel_destage();
    return true;
}

// The volumes are told; its layer goes; and when nobody can stand on what is below it any more,
// that goes, too.
void History::unlayer(const ContentId& id) {
    if (!process_->unlayering.insert(id).second) {
        return;
    }
    const auto told = [this, id](Status status, auto next) {
        note(id.str() + " told: " + outcome(status));
        if (!status) {
            judge("content_rooted " + id.str(), status.error());
            process_->unlayering.erase(id);  // the next process goes on
            return;
        }
        next();
    };
    const auto cut_off = [this, id] {
        forget(
            [this, id] {
                if (const auto at = catalog_.contents.find(id); at != catalog_.contents.end()) {
                    at->second.record.parent = {};
                }
            },
            [this, id] { process_->unlayering.erase(id); });
    };
    auto layer = std::make_shared<LayerId>();
    const auto unnamed = [this, id, told, cut_off, layer](Status) {
        process_->owner.content_rooted(id, mine([this, told, cut_off, layer](Status status) {
                                           told(std::move(status), [this, cut_off, layer] {
                                               if (!layer->empty()) {
                                                   drop(*layer);
                                               }
                                               cut_off();
                                           });
                                       }));
    };
    const auto give_up = [this, id, unnamed, layer] {
        catalog_.commit(
            [this, id, layer] {
                const auto at = catalog_.contents.find(id);
                if (at != catalog_.contents.end()) {
                    *layer = std::exchange(at->second.record.layer, {});
                }
            },
            mine(unnamed));
    };
    process_->owner.content_rooted(
        id, mine([this, told, give_up](Status status) {
            told(std::move(status), [this, give_up] {
                // The layer is the faster copy for as long as somebody has it open.
                if (process_->thorough || sweep_volume_ || random_.one_in(2)) {
                    give_up();
                } else {
                    process_->reactor.after(std::chrono::milliseconds(random_.between(1, 40)),
                                            mine(give_up));
                }
            });
        }));
}

}  // namespace kiln::block::sim
