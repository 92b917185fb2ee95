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
    auto dropped = mine([this, layer](Status status) {
        note("dropped " + layer.str() + ": " + outcome(status));
        if (status) {
            return;
        }
        process_->unnamed.insert(layer);
        if (status.error().code() != Code::failed_precondition) {
            judge("drop " + layer.str(), status.error());
        }
    });
    process_->call_first([layer, dropped = std::move(dropped)](VolumeOwner& owner) mutable {
        owner.drop_layer(layer, std::move(dropped));
    });
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
        process_->close(name, false, mine([this, name, lease](Status closed) {
                            if (!closed) {
                                judge("close " + name.str(), closed.error());
                            }
                            look_ended(name, lease);
                        }));
    };
    const auto opened = [this, id, name, lease, buffer, read](Status status) {
        if (status) {
            Volume& view = process_->volume(name);
            if (random_.one_in(2)) {
                view.read(0, buffer->mutable_view(), mine(read));
            } else {
                read_in_order(view, buffer->mutable_view(), 0, mine(read));
            }
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
            process_->call(process_->group.place(name),
                           [name, id, opened = mine(opened)](VolumeOwner& owner) mutable {
                               owner.open_content(name, id, std::move(opened));
                           });
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
            auto ended = mine([this, content, lease](Result<DestagedContent> result) {
                destaged(content, lease, std::move(result));
            });
            process_->call_first([content, epoch = catalog_.epoch,
                                  ended = std::move(ended)](VolumeOwner& owner) mutable {
                owner.destage(content, epoch, std::move(ended));
            });
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
            catalog_.root(row->second, (*made)->root_digest);
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
                settle(id, process_->thorough || sweep_volume_ || random_.one_in(4));
            }
        }));
}

bool History::cancel_destage() {
    if (!process_->destaging || !random_.one_in(4)) {
        return false;
    }
    process_->cancelled = true;
    process_->call_first([](VolumeOwner& owner) { owner.cancel_destage(); });
    return true;
}

// The volumes are told; then what is below it goes, when nobody can stand on that any more.
void History::settle(const ContentId& id, bool give_up_layers) {
    if (!process_->settling.insert(id).second) {
        return;
    }
    tell_rooted(id, [this, id, give_up_layers] {
        if (give_up_layers) {
            unlayer(id);
        } else {
            cut_off(id);
        }
    });
}

void History::tell_rooted(const ContentId& id, std::function<void()> then) {
    process_->group.content_rooted(id, mine([this, id, then = std::move(then)](Status status) {
                                       note(id.str() + " told: " + outcome(status));
                                       if (status) {
                                           then();
                                           return;
                                       }
                                       judge("content_rooted " + id.str(), status.error());
                                       process_->settling.erase(id);  // the next process goes on
                                   }));
}

// Rows first. A volume that was opened in between holds the layers: it is told as well.
void History::unlayer(const ContentId& id) {
    auto layers = std::make_shared<std::vector<LayerId>>();
    catalog_.commit([this, id, layers] { *layers = catalog_.give_up_layers(id); },
                    mine([this, id, layers](Status) {
                        tell_rooted(id, [this, id, layers] {
                            for (const LayerId& layer : *layers) {
                                drop(layer);
                            }
                            cut_off(id);
                        });
                    }));
}

void History::cut_off(const ContentId& id) {
    forget(
        [this, id] {
            if (const auto at = catalog_.contents.find(id); at != catalog_.contents.end()) {
                at->second.record.parent = {};
            }
        },
        [this, id] { process_->settling.erase(id); });
}

// Some of the newest layers of a rooted content become one.
bool History::merge_layers() {
    auto rooted = contents_that(catalog_.contents, [](const SimContent& content) {
        return content.record.state == ContentState::rooted && !content.record.spares.empty();
    });
    std::erase_if(rooted, [this](const ContentId& id) { return process_->settling.contains(id); });
    if (rooted.empty() || process_->merging || machine_.disk.failed_syncs() > 0) {
        return false;
    }
    const ContentId id = rooted[random_.below(rooted.size())];
    const ContentRecord& record = catalog_.contents.at(id).record;
    LayerMerge merge{.target = catalog_.new_id<LayerId>("l-"), .writer = VolumeId("merge")};
    merge.layers.push_back({record.layer, record.size_bytes});
    const auto most = static_cast<std::ptrdiff_t>(random_.between(1, record.spares.size()));
    merge.layers.insert(merge.layers.end(), record.spares.begin(), record.spares.begin() + most);
    note("merge " + std::to_string(merge.layers.size()) + " layers of " + id.str() + " into " +
         merge.target.str());
    process_->merging = true;
    auto ended = mine([this, id, merge](Status status) {
        process_->merging = false;
        merged(id, merge, std::move(status));
    });
    process_->call_first([merge, ended = std::move(ended)](VolumeOwner& owner) mutable {
        owner.merge(merge, std::move(ended));
    });
    return true;
}

void History::merged(const ContentId& id, const LayerMerge& merge, Status status) {
    note("merged into " + merge.target.str() + ": " + outcome(status));
    if (!status) {
        // Cancelled with a destage; or its layers were given up before it began.
        const auto row = catalog_.contents.find(id);
        const bool same =
            row != catalog_.contents.end() && row->second.record.layer == merge.layers.front().id;
        if (same && status.error().code() != Code::cancelled) {
            judge("merge layers of " + id.str(), status.error());
        }
        return;
    }
    auto unnamed = std::make_shared<std::vector<LayerId>>();
    auto changed = std::make_shared<std::vector<ContentId>>();
    catalog_.commit(
        [this, merge, unnamed, changed] { *unnamed = catalog_.replace_layers(merge, *changed); },
        mine([this, unnamed, changed](Status) {
            report_.counts["layers merged"] += changed->size();
            tell_merged(changed, unnamed);
        }));
}

void History::tell_merged(std::shared_ptr<std::vector<ContentId>> changed,
                          std::shared_ptr<std::vector<LayerId>> unnamed) {
    if (changed->empty()) {
        for (const LayerId& layer : *unnamed) {
            drop(layer);
        }
        return;
    }
    const ContentId id = changed->back();
    changed->pop_back();
    process_->group.content_rooted(id, mine([this, id, changed, unnamed](Status told) {
                                       if (told) {
                                           tell_merged(changed, unnamed);
                                       } else {
                                           judge("content_rooted " + id.str(), told.error());
                                       }
                                   }));
}

// Those of a content that kept them when it was rooted.
bool History::give_up_layers() {
    auto rooted = contents_that(catalog_.contents, [](const SimContent& content) {
        return content.record.state == ContentState::rooted && !content.record.layer.empty();
    });
    std::erase_if(rooted, [this](const ContentId& id) { return process_->settling.contains(id); });
    if (rooted.empty()) {
        return false;
    }
    const ContentId id = rooted[random_.below(rooted.size())];
    note("give up the layers of " + id.str());
    settle(id, true);
    return true;
}

}  // namespace kiln::block::sim
