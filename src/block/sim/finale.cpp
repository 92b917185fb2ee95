// SPDX-License-Identifier: Apache-2.0
// The end of some histories, with a device that fails nothing: everything is read; what has equal
// bytes has an equal root, whatever its history; when some is deleted, what is stored is at most
// twice what is needed; and when all is deleted, nothing is left.
#include <algorithm>

#include "block/sim/history.h"

namespace kiln::block::sim {

void History::finale() {
    start_process();
    process_->last_step = ~0ULL;
    process_->thorough = true;
    note("finale");
    if (recover()) {
        process_->recovered = true;
        drain();
        look_at_everything();
    }
    if (report_.failure.empty() && random_.one_in(2)) {
        destage_everything();
        look_at_everything();
        if (report_.failure.empty()) {
            compare_roots();
        }
    }
    if (report_.failure.empty() && random_.one_in(2)) {
        delete_some();
    }
    if (report_.failure.empty()) {
        delete_everything();
    }
    report_.counts["finales"] += report_.failure.empty() ? 1 : 0;
    crash(io::Crash::process_kill);
}

// After damage: whatever can be read still is right, or was never promised.
void History::last_look() {
    start_process();
    process_->last_step = ~0ULL;
    note("last look");
    if (recover()) {
        process_->recovered = true;
        drain();
        look_at_everything();
    }
    report_.counts["last looks"] += report_.failure.empty() ? 1 : 0;
    crash(io::Crash::process_kill);
}

void History::look_at_everything() {
    const auto volumes = catalog_.volumes;
    for (const auto& [id, volume] : volumes) {
        if (volume->state == State::closed) {
            open(volume);
        } else if (volume->state == State::open) {
            verify(volume, [](bool) {});
        }
    }
    drain();
    std::vector<ContentId> ready;
    for (const auto& [id, content] : catalog_.contents) {
        if (content.truth) {
            ready.push_back(id);
        }
    }
    for (const ContentId& id : ready) {
        if (report_.failure.empty()) {
            look_at(id);
            drain();
        }
    }
}

void History::destage_everything() {
    for (int round = 0; destage(); ++round) {
        drain();
        if (round > 1000) {
            fail("there is always something to destage");
        }
    }
}

void History::compare_roots() {
    const SimContent* one = nullptr;
    std::map<std::vector<Value>, const SimContent*> seen;
    std::map<std::string, const SimContent*> digests;
    for (const auto& [id, content] : catalog_.contents) {
        if (!content.truth || !content.truth->values) {
            continue;
        }
        const auto [same, fresh] = seen.try_emplace(*content.truth->values, &content);
        const auto [root, new_root] = digests.try_emplace(content.record.root_digest, &content);
        if (same->second->record.root_digest != content.record.root_digest || fresh != new_root) {
            fail("the roots of " + id.str() +
                 " and another content do not tell whether they are "
                 "equal");
        }
        if (one == nullptr || random_.one_in(2)) {
            one = &content;
        }
    }
    if (one != nullptr) {
        write_again(*one);
    }
}

// The same bytes by another way, and then their root.
void History::write_again(const SimContent& content) {
    const std::vector<Value> values = *content.truth->values;
    const std::string digest = content.record.root_digest;
    const VolumeRef volume = make_volume(content.record.size_bytes);
    open(volume);
    drain();
    if (volume->state != State::open) {
        return;
    }
    std::vector<std::pair<std::uint64_t, std::uint64_t>> runs;
    for (std::uint64_t i = 0; i < values.size(); ++i) {
        if (i == 0 || values[i] != values[i - 1] || random_.one_in(40)) {
            runs.emplace_back(i, 0);
        }
        ++runs.back().second;
    }
    for (std::uint64_t left = runs.size(); left > 0 && report_.failure.empty(); --left) {
        std::swap(runs[random_.below(left)], runs[left - 1]);
        const auto [first, count] = runs[left - 1];
        if (values[first] != 0 || random_.one_in(2)) {
            write_cells(volume, first, count, values[first], false);
            drain();
        }
    }
    plan_cut({volume});
    drain();
    const ContentId copy = volume->base;
    destage_everything();
    if (report_.failure.empty() && catalog_.contents.at(copy).record.root_digest != digest) {
        fail("equal contents have different roots: " + content.record.id.str() + " and " +
             copy.str());
    }
    ++report_.counts["roots compared"];
}

// Packs of which less than half is needed by what is left are emptied, and that can still be read.
void History::delete_some() {
    std::vector<ContentId> named;
    for (const auto& [id, content] : catalog_.contents) {
        if (content.named) {
            named.push_back(id);
        }
    }
    for (const ContentId& id : named) {
        if (random_.one_in(2)) {
            delete_snapshot(id);
        }
    }
    drain();
    // Until a run changes nothing: one that pardons a pack may leave another with less.
    const auto states = [this] {
        std::map<PackId, PackState> found;
        for (const auto& [id, pack] : catalog_.packs) {
            found[id] = pack.state;
        }
        return found;
    };
    for (int round = 0; report_.failure.empty(); ++round) {
        const auto before = states();
        (void)collect();
        drain();
        if (states() == before) {
            break;
        }
        if (round == 100) {
            fail("there is always something to compact");
        }
    }
    if (report_.failure.empty()) {
        check_reclaimed();
        look_at_everything();
    }
}

void History::delete_everything() {
    const auto volumes = catalog_.volumes;
    for (const auto& entry : volumes) {
        const auto volume = entry.second;
        close(volume, [this, volume] {
            forget([this, volume] { catalog_.volumes.erase(volume->id); },
                   [this, volume] { drop(volume->active); });
        });
    }
    drain();
    for (auto& [id, content] : catalog_.contents) {
        forget(
            [this, id = id] {
                const auto at = catalog_.contents.find(id);
                if (at != catalog_.contents.end()) {
                    at->second.named = false;
                }
            },
            [] {});
    }
    drain();
    drop_layers();
    (void)collect();
    drain();
    if (!report_.failure.empty()) {
        return;
    }
    if (!catalog_.contents.empty() || !catalog_.packs.empty() || !catalog_.places.empty()) {
        fail("rows are left: " + std::to_string(catalog_.contents.size()) + " contents, " +
             std::to_string(catalog_.packs.size()) + " packs");
    }
    for (const char* directory : {"/store", "/objects"}) {
        std::vector<std::string> names;
        const auto listed = await<std::uint64_t>([&](io::IoDone done) {
            process_->reactor.submit(io::Op::list(directory, &names), std::move(done));
        });
        if (!listed || !*listed || !names.empty()) {
            fail(std::string(directory) +
                 " is not empty: " + (names.empty() ? "cannot be listed" : names.front()));
        }
    }
}

}  // namespace kiln::block::sim
