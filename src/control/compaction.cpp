// SPDX-License-Identifier: Apache-2.0
#include "control/compaction.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/content_worker.h"
#include "util/log.h"

namespace kiln::control {
namespace {

using model::PackState;

constexpr std::size_t kPage = 1000;
// Copied in one run, for as long as there is space: what is freed is freed at the end of the run,
// and garbage is not found before the next one.
constexpr std::uint64_t kMostBytes = 4ULL << 30;
// When only the reserve is left: enough to get on.
constexpr std::uint64_t kLeastBytes = 64ULL << 20;
// One turn reads and writes what the rate allows in this time, and one pack at least.
constexpr std::uint64_t kTurnSeconds = 2;
constexpr std::chrono::minutes kTurnTime{30};
// Of a pack, beside its entries.
constexpr std::uint64_t kFixedBytes = block::kPackHeaderBytes + block::pack_footer_bytes(0);

}  // namespace

struct Compaction::Candidate {
    block::PackId pack;
    std::uint64_t bytes = 0;
    std::uint64_t live = 0;
    const block::PackUse* use = nullptr;
};

Result<Compacted> Compaction::run(const block::PackUses& reached,
                                  std::optional<std::uint64_t> oldest_lease) {
    Compacted done;
    TRY_ASSIGN(Candidates chosen, candidates(reached, oldest_lease, done));
    choose(chosen, done);
    const std::uint64_t turn_bytes = kTurnSeconds * parts_.settings.compact_bytes_per_second;
    for (std::size_t at = 0; at < chosen.size();) {
        std::vector<block::RepackPiece> pieces;
        std::uint64_t bytes = 0;
        do {
            pieces.push_back({chosen[at].pack, chosen[at].use->entries});
            bytes += chosen[at].bytes + chosen[at].live;
            ++at;
        } while (at < chosen.size() && bytes < turn_bytes);
        TRY_ASSIGN(const bool good, turn(std::move(pieces), done));
        if (!good) {
            done.more = false;
            break;
        }
        TRY(wait(bytes));
    }
    done.more = done.more && done.packs > 0;
    MutexLock lock(mutex_);
    hurried_ = false;
    return done;
}

// In the order of the catalog: what was written together is copied together.
Result<Compaction::Candidates> Compaction::candidates(const block::PackUses& reached,
                                                      std::optional<std::uint64_t> oldest_lease,
                                                      Compacted& done) {
    const Settings& settings = parts_.settings;
    const bool wanted = settings.compact_bytes_per_second != 0;
    Candidates found;
    for (std::int64_t after = 0;;) {
        TRY_ASSIGN(const auto page, parts_.store.read([&](catalog::Transaction& tx) {
            return tx.packs().list(PackState::stored, after, kPage);
        }));
        for (const catalog::PackRow& row : page) {
            after = row.number;
            const auto at = reached.find(block::PackId::from(row.pack.id));
            if (at == reached.end()) {
                continue;
            }
            const block::PackUse& use = at->second;
            const std::uint64_t bytes = row.pack.bytes;
            const std::uint64_t live =
                use.counted ? std::min(bytes, use.bytes + kFixedBytes) : bytes;
            done.live_bytes += live;
            const bool finished = !oldest_lease || row.pack.epoch < *oldest_lease;
            if (wanted && finished && live * 100 < bytes * settings.compact_below_percent) {
                found.push_back({at->first, bytes, live, &use});
            }
        }
        if (page.size() < kPage) {
            return found;
        }
    }
}

// Those that free the most for what they cost, if there are more than one run takes.
void Compaction::choose(Candidates& all, Compacted& done) {
    std::uint64_t most = kMostBytes;
    if (const auto figures = parts_.space.measure()) {
        most = std::clamp(figures->room(), kLeastBytes, kMostBytes);
    }
    std::vector<std::size_t> order(all.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
        order[i] = i;
    }
    std::ranges::stable_sort(order, {}, [&](std::size_t i) {
        return static_cast<double>(all[i].live) / static_cast<double>(all[i].bytes);
    });
    std::uint64_t sum = 0;
    std::size_t count = 0;
    while (count < order.size() && (count == 0 || sum + all[order[count]].live <= most)) {
        sum += all[order[count]].live;
        ++count;
    }
    done.more = count < order.size();
    order.resize(count);
    std::ranges::sort(order);
    Candidates chosen;
    for (const std::size_t i : order) {
        chosen.push_back(all[i]);
    }
    all = std::move(chosen);
}

// False when it failed.
Result<bool> Compaction::turn(std::vector<block::RepackPiece> pieces, Compacted& done) {
    TRY_ASSIGN(const std::uint64_t epoch,
               parts_.store.read([](catalog::Transaction& tx) { return gc_epoch(tx); }));
    const auto repacked =
        parts_.engine.repack(std::move(pieces), epoch, Deadline::after(kTurnTime));
    if (!repacked) {
        log_warn("gc", "nothing more is copied out of packs in this run: " +
                           repacked.error().to_string());
        return false;
    }
    for (const auto& [pack, why] : repacked->damaged) {
        log_error("gc", fmt::format("pack {} stays as it is, for it is damaged: {}; `kiln verify` "
                                    "of an image, snapshot or volume says whether this concerns it",
                                    pack.hex(), why.to_string()));
    }
    done.bytes_written += repacked->bytes_written;
    done.written.insert(done.written.end(), repacked->written.begin(), repacked->written.end());
    TRY(condemn(repacked->emptied, done));
    return true;
}

// Of this epoch still, whose leases the run waits for after it has ended it.
Status Compaction::condemn(const std::vector<block::PackId>& packs, Compacted& done) {
    std::vector<Bytes> ids;
    ids.reserve(packs.size());
    for (const block::PackId& pack : packs) {
        ids.emplace_back(pack.bytes.begin(), pack.bytes.end());
    }
    TRY(parts_.store.run(
        [&](catalog::Transaction& tx) { return tx.packs().set_state(ids, PackState::condemned); }));
    done.packs += ids.size();
    return ok();
}

Status Compaction::wait(std::uint64_t bytes) {
    const double seconds =
        static_cast<double>(bytes) / static_cast<double>(parts_.settings.compact_bytes_per_second);
    const auto until =
        Deadline::clock::now() + std::chrono::duration_cast<Deadline::clock::duration>(
                                     std::chrono::duration<double>(seconds));
    MutexLock lock(mutex_);
    while (!stopping_ && !hurried_ && Deadline::clock::now() < until) {
        changed_.wait_until(lock, until);
    }
    if (stopping_) {
        return Error(Code::cancelled, "the service stops");
    }
    return ok();
}

void Compaction::hurry() {
    MutexLock lock(mutex_);
    hurried_ = true;
    changed_.notify_all();
}

void Compaction::stop() {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
}

}  // namespace kiln::control
