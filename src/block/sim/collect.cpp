// SPDX-License-Identifier: Apache-2.0
// Garbage collection as D3 orders it: condemn; wait until the leases of that time are gone; only
// then read the roots and mark; what nothing reaches loses its index entries, then its object, then
// its row.
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
    mark([this](std::set<PackId> reached) { condemn(reached); });
    return true;
}

void History::mark(std::function<void(std::set<PackId>)> then) {
    auto roots = std::make_shared<std::vector<RootRef>>();
    catalog_.commit(
        [this, roots] {
            for (const std::string& root : catalog_.roots()) {
                roots->push_back({{}, *parse_root_digest(root)});
            }
        },
        mine([this, roots, then = std::move(then)](Status) {
            note("mark from " + std::to_string(roots->size()) + " roots");
            const std::size_t remembered = random_.one_in(2) ? 4 : 1000;
            Marker::start(process_->store, *roots,
                          mine([this, then](Result<std::set<PackId>> reached) {
                              if (!reached) {
                                  judge("mark", reached.error());
                                  process_->collecting = false;
                                  return;
                              }
                              then(*std::move(reached));
                          }),
                          remembered);
        }));
}

// What nothing reached, and for the sake of trouble some of what something did.
void History::condemn(const std::set<PackId>& reached) {
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
        mark([this](std::set<PackId> reached) { trash(reached); });
        return;
    }
    process_->reactor.after(std::chrono::milliseconds(1),
                            mine([this, epoch] { wait_for_leases(epoch); }));
}

void History::trash(const std::set<PackId>& reached) {
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

}  // namespace kiln::block::sim
