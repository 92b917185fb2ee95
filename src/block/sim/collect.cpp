// SPDX-License-Identifier: Apache-2.0
// Garbage collection as D3 orders it: copy what is needed of packs that are mostly dead, and
// condemn them with what nothing reaches; wait until the leases of that time are gone; only then
// read the roots and mark; what nothing reaches loses its index entries, then its object, then its
// row.
#include <algorithm>

#include "block/image/marker.h"
#include "block/sim/history.h"

namespace kiln::block::sim {

bool History::collect() {
    if (process_->collecting || catalog_.packs.empty() || machine_.disk.failed_syncs() > 0) {
        return false;
    }
    process_->collecting = true;
    note("gc");
    mark([this](const PackUses& reached) { compact(reached); });
    return true;
}

void History::mark(std::function<void(PackUses)> then) {
    auto roots = std::make_shared<std::vector<RootRef>>();
    catalog_.commit(
        [this, roots] {
            for (const std::string& root : catalog_.roots()) {
                roots->push_back({{}, *parse_root_digest(root)});
            }
        },
        mine([this, roots, then = std::move(then)](Status) {
            note("mark from " + std::to_string(roots->size()) + " roots");
            const MarkLimits limits{
                .remembered_nodes = random_.one_in(2) ? 4U : 1000U,
                .counted_entries = !process_->thorough && random_.one_in(4) ? 20U : kMarkCounted};
            Marker::start(process_->store(), *roots, mine([this, then](Result<PackUses> reached) {
                              if (!reached) {
                                  judge("mark", reached.error());
                                  process_->collecting = false;
                                  return;
                              }
                              then(*std::move(reached));
                          }),
                          limits);
        }));
}

namespace {

// As a mark counts.
std::uint64_t pack_bytes(const SimPack& pack) {
    std::uint64_t bytes = 0;
    for (const PackEntry& entry : pack.entries) {
        bytes += entry_bytes(entry) + kFooterEntryBytes;
    }
    return bytes;
}

}  // namespace

// What is less than half needed, and for the sake of trouble other packs too.
void History::compact(const PackUses& reached) {
    std::vector<RepackPiece> pieces;
    for (const auto& [id, pack] : catalog_.packs) {
        const auto at = reached.find(id);
        if (pack.state != PackState::stored || at == reached.end() || !at->second.counted) {
            continue;
        }
        const bool sparse = at->second.bytes * 2 < pack_bytes(pack);
        if (process_->thorough ? sparse : random_.one_in(sparse ? 2 : 8)) {
            pieces.push_back({id, at->second.entries});
        }
    }
    if (pieces.empty()) {
        condemn(reached);
        return;
    }
    note("repack " + std::to_string(pieces.size()) + " packs");
    const auto repack = Repack::start(
        process_->images, catalog_.epoch, std::move(pieces),
        mine([this, reached](Result<Repacked> made) { compacted(reached, std::move(made)); }));
    if (!process_->thorough && random_.one_in(20)) {
        repack->cancel();
    }
}

void History::compacted(PackUses reached, Result<Repacked> made) {
    if (!made) {
        if (made.error().code() != Code::cancelled) {
            judge("repack", made.error());
        }
        condemn(reached);
        return;
    }
    for (const auto& [pack, why] : made->damaged) {
        judge("repack " + pack.hex(), why);
    }
    for (const PackId& pack : made->written) {
        reached.try_emplace(pack);
    }
    report_.counts["packs compacted"] += made->emptied.size();
    catalog_.commit(
        [this, emptied = made->emptied] {
            for (const PackId& pack : emptied) {
                catalog_.packs.at(pack).state = PackState::condemned;
            }
        },
        mine([this, reached](Status) { condemn(reached); }));
}

// What nothing reached, and for the sake of trouble some of what something did.
void History::condemn(const PackUses& reached) {
    auto epoch = std::make_shared<std::uint64_t>();
    const bool thorough = process_->thorough;
    catalog_.commit(
        [this, reached, epoch, thorough] {
            for (auto& [id, pack] : catalog_.packs) {
                const bool want =
                    thorough ? !reached.contains(id) : random_.one_in(reached.contains(id) ? 6 : 2);
                if (pack.state == PackState::stored && want) {
                    pack.state = PackState::condemned;
                }
            }
            *epoch = catalog_.epoch++;
        },
        mine([this, epoch](Status) { wait_for_leases(*epoch); }));
}

void History::wait_for_leases(std::uint64_t epoch) {
    // A job that stalls loses its lease, and goes on all the same until it commits.
    if (random_.one_in(40)) {
        std::erase_if(catalog_.leases, [](const auto& lease) { return lease.second.job; });
    }
    const auto held = [&](const auto& lease) { return lease.second.epoch <= epoch; };
    if (!std::ranges::any_of(catalog_.leases, held)) {
        mark([this](const PackUses& reached) { trash(reached); });
        return;
    }
    process_->reactor.after(std::chrono::milliseconds(1),
                            mine([this, epoch] { wait_for_leases(epoch); }));
}

void History::trash(const PackUses& reached) {
    auto packs = std::make_shared<std::vector<PackId>>();
    catalog_.commit(
        [this, reached, packs] {
            for (auto& [id, pack] : catalog_.packs) {
                if (pack.state != PackState::condemned) {
                    continue;
                }
                if (reached.contains(id)) {
                    pack.state = PackState::stored;
                    continue;
                }
                pack.state = PackState::trash;
                catalog_.unindex(id);
                packs->push_back(id);
            }
        },
        mine([this, packs](Status) { remove_packs(*packs); }));
}

void History::remove_packs(std::vector<PackId> packs) {
    if (packs.empty()) {
        ++report_.counts["collections"];
        note("gc is over");
        process_->collecting = false;
        return;
    }
    const PackId pack = packs.back();
    packs.pop_back();
    note("remove pack " + pack.hex());
    process_->remote.remove(pack_name("simulated-store", pack), {},
                            mine([this, pack, packs = std::move(packs)](Status status) {
                                if (!status) {
                                    judge("remove pack", status.error());
                                    process_->collecting = false;
                                    return;
                                }
                                ++report_.counts["packs collected"];
                                catalog_.commit(
                                    [this, pack] { catalog_.packs.erase(pack); },
                                    mine([this, packs](Status) { remove_packs(packs); }));
                            }));
}

// When nothing is left to collect or to compact: each pack is needed, at least a half of it. So all
// packs together are at most twice as large as what is needed.
void History::check_reclaimed() {
    mark([this](const PackUses& reached) {
        for (const auto& [id, pack] : catalog_.packs) {
            const auto at = reached.find(id);
            if (pack.state != PackState::stored || at == reached.end()) {
                fail("pack " + id.hex() + " is still there, and nothing needs it");
            } else if (at->second.bytes * 2 < pack_bytes(pack)) {
                fail("pack " + id.hex() + " has " + std::to_string(pack_bytes(pack)) +
                     " bytes, of which " + std::to_string(at->second.bytes) + " are needed");
            }
        }
        ++report_.counts["stores reclaimed"];
    });
    drain();
}

}  // namespace kiln::block::sim
