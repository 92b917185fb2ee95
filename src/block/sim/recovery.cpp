// SPDX-License-Identifier: Apache-2.0
// What a process does first, one step after the other: it settles what the one before it left half
// done. All of it may be interrupted, and is done again by the next one.
#include "block/sim/history.h"

namespace kiln::block::sim {
namespace {

std::string set_text(std::uint64_t number) {
    return "set-" + std::to_string(number);
}

}  // namespace

// No process of another time holds a lease.
bool History::recover() {
    catalog_.leases.clear();
    const auto cleaned = await<void>([&](Done done) { process_->objects.clean(std::move(done)); });
    if (!expect("clean", cleaned)) {
        return false;
    }
    while (!catalog_.sets.empty()) {
        if (!recover_set(catalog_.sets.begin()->first)) {
            return false;
        }
    }
    const auto volumes = catalog_.volumes;
    for (const auto& [id, volume] : volumes) {
        if (volume->sealing && !recover_sealing(volume)) {
            return false;
        }
    }
    if (!remove_left_packs() || !drop_unnamed()) {
        return false;
    }
    for (const auto& [id, content] : catalog_.contents) {
        const ContentRecord& record = content.record;
        if (record.state == ContentState::rooted &&
            !(record.layer.empty() && record.parent.empty())) {
            settle(id, random_.one_in(2));
        }
    }
    return true;
}

// A recovery has no excuse: nothing fails in it. With damage it goes on without what it cannot do.
bool History::expect(const std::string& what, const std::optional<Status>& status) {
    return status && (*status || excused(what, status->error()));
}

bool History::excused(const std::string& what, const Error& error) {
    if (damaged_) {
        note("recovery, " + what + ": " + error.to_string());
        ++report_.counts["errors after damage"];
    } else {
        fail("recovery, " + what + ": " + error.to_string());
    }
    return damaged_;
}

bool History::commit_now(std::function<void()> change) {
    return expect("commit", await<void>([&](Done done) {
                      auto answered = std::make_shared<Done>(std::move(done));
                      catalog_.commit(std::move(change), [answered](Status status) {
                          (*answered)(std::move(status));
                      });
                  }));
}

// --- cuts ---

// D7: complete when every member has its seal, else the set ends in error.
bool History::recover_set(std::uint64_t number) {
    const SimSet set = catalog_.sets.at(number);
    std::vector<const SimSet::Member*> unsealed;
    std::set<LayerId> missing;
    for (const SimSet::Member& member : set.members) {
        bool absent = false;
        const auto sealed = sealed_for(member.layer, set_text(number), absent);
        if (!sealed) {
            return false;
        }
        if (!*sealed) {
            unsealed.push_back(&member);
        }
        if (absent) {
            missing.insert(member.layer);
        }
    }
    note("recovery of " + set_text(number) + ": " + std::to_string(unsealed.size()) + " of " +
         std::to_string(set.members.size()) + " without seal");
    if (unsealed.empty()) {
        ++report_.counts["sets recovered"];
        return commit_now([this, number] { complete_set(number); });
    }
    if (set.promised &&
        !excused(set_text(number), Error(Code::data_loss, "it was answered, and is not sealed"))) {
        return false;
    }
    for (const SimSet::Member* member : unsealed) {
        if (!seal_member(*member, missing.contains(member->layer))) {
            return false;
        }
    }
    ++report_.counts["sets in error"];
    return commit_now([this, number] {
        for (const SimSet::Member& member : catalog_.sets.at(number).members) {
            SimContent& content = catalog_.contents.at(member.content);
            content.named = false;
            content.sealed = true;
            content.truth = nullptr;
        }
        catalog_.sets.erase(number);
        (void)catalog_.sweep();  // the layers go as unnamed ones
    });
}

std::optional<bool> History::sealed_for(const LayerId& layer, const std::string& set,
                                        bool& missing) {
    const auto freeze = await<std::optional<Freeze>>(
        [&](auto done) { process_->first().freeze_of(layer, std::move(done)); });
    if (!freeze) {
        return std::nullopt;
    }
    if (!*freeze) {
        missing = freeze->error().code() == Code::not_found;
        if (!missing && !excused("freeze of " + layer.str(), freeze->error())) {
            return std::nullopt;
        }
        return false;
    }
    const std::optional<Freeze>& found = **freeze;
    if (found && !found->set_id.empty() && found->set_id != set) {
        fail(layer.str() + " is sealed for " + found->set_id + " rather than " + set);
        return std::nullopt;
    }
    return found && found->set_id == set;
}

// One that no cut came to has no files: it is made, empty.
bool History::seal_member(const SimSet::Member& member, bool missing) {
    const SimContent& content = catalog_.contents.at(member.content);
    if (!missing) {
        return expect("seal " + member.layer.str(), await<void>([&](Done done) {
                          process_->first().seal_layer(member.layer, content.record.size_bytes,
                                                       std::move(done));
                      }));
    }
    const auto made = await<void>([&](Done done) {
        process_->open({.id = member.volume,
                        .size_bytes = content.record.size_bytes,
                        .base = content.record.parent,
                        .active = member.layer,
                        .create_active = true},
                       std::move(done));
    });
    return expect("make " + member.layer.str(), made) &&
           expect("seal " + member.layer.str(), await<void>([&](Done done) {
                      process_->close(member.volume, true, std::move(done));
                  }));
}

bool History::recover_sealing(const VolumeRef& volume) {
    const auto freeze = await<std::optional<Freeze>>(
        [&](auto done) { process_->first().freeze_of(volume->active, std::move(done)); });
    if (!freeze) {
        return false;
    }
    if (!*freeze && !excused("freeze of " + volume->active.str(), freeze->error())) {
        return false;
    }
    const bool sealed = *freeze && (**freeze).has_value();
    note("recovery: " + volume->active.str() + (sealed ? " was sealed" : " was not sealed"));
    return commit_now([this, volume, sealed] {
        if (sealed) {
            complete_sealing(volume);
        } else {
            volume->sealing.reset();
        }
    });
}

// --- what nobody names ---

// Packs of writers that died, and those that were being removed.
bool History::remove_left_packs() {
    std::vector<PackId> left;
    for (const auto& [id, pack] : catalog_.packs) {
        if (pack.state == PackState::writing || pack.state == PackState::trash) {
            left.push_back(id);
        }
    }
    for (const PackId& pack : left) {
        const auto removed = await<void>([&](Done done) {
            process_->remote.remove(pack_name("simulated-store", pack), {}, std::move(done));
        });
        if (!expect("remove pack", removed) ||
            !commit_now([this, pack] { catalog_.packs.erase(pack); })) {
            return false;
        }
        ++report_.counts["packs left"];
    }
    return true;
}

// D31: files that no row names are unlinked at start.
bool History::drop_unnamed() {
    for (const bool again : {false, true}) {
        auto layers = await<std::vector<LayerId>>(
            [&](auto done) { process_->first().list_layers(std::move(done)); });
        if (!layers) {
            return false;
        }
        if (!*layers) {
            fail("list layers: " + layers->error().to_string());
            return false;
        }
        std::erase_if(**layers, [&](const LayerId& layer) { return catalog_.names(layer); });
        if (again && !(*layers)->empty()) {
            fail("layer " + (*layers)->front().str() + " is there after it was dropped");
            return false;
        }
        for (const LayerId& layer : **layers) {
            note("recovery drops layer " + layer.str());
            if (!expect("drop " + layer.str(), await<void>([&](Done done) {
                            process_->first().drop_layer(layer, std::move(done));
                        }))) {
                return false;
            }
        }
    }
    return true;
}

}  // namespace kiln::block::sim
