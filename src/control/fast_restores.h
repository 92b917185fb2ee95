// SPDX-License-Identifier: Apache-2.0
// FastRestores: fast snapshot restores (FS-1 .. FS-3), which are records with states and credits
// and change nothing of how a volume is made. An account's record stands with the snapshot, and is
// found from the account's settings of the region.
//
// FastRestores is thread-safe, blocking; the functions run within a transaction.
#pragma once

#include <string>
#include <vector>

#include "control/caller.h"
#include "control/filter.h"
#include "control/pagination.h"
#include "control/parts.h"
#include "model/snapshot.h"

namespace kiln::control {

inline constexpr std::size_t kMaxFastRestored = 5;         // snapshots of an account in a region
inline constexpr std::size_t kMaxFastRestoreRequest = 10;  // snapshots that one request names

struct FastRestoreInput {
    std::vector<model::SnapshotId> snapshots;
    std::vector<std::string> zones;  // names or ids
    bool dry_run = false;
};

struct FastRestoreView {
    model::SnapshotId snapshot;
    model::FastRestore restore;
    model::FastRestoreProgress progress;
    std::string zone_id;
};

// What came of each snapshot in each zone.
struct FastRestoreRefusal {
    std::string zone;
    std::string zone_id;
    std::string code;
    std::string message;
};
struct FastRestoreOutcome {
    struct Refused {
        model::SnapshotId snapshot;
        std::vector<FastRestoreRefusal> zones;
    };
    std::vector<FastRestoreView> done;
    std::vector<Refused> refused;
};

struct DescribeFastRestoresInput {
    std::vector<Filter> filters;
    PageRequest page;
};

class FastRestores {
  public:
    explicit FastRestores(const Parts& parts) : parts_(parts) {}

    Result<FastRestoreOutcome> enable(const Caller& caller, const FastRestoreInput& input);
    Result<FastRestoreOutcome> disable(const Caller& caller, const FastRestoreInput& input);
    Result<Page<FastRestoreView>> describe(const Caller& caller,
                                           const DescribeFastRestoresInput& input);

  private:
    const Parts parts_;
};

const FilterTable<FastRestoreView>& fast_restore_filters();

// FS-2: whether the caller had a credit for a volume of the snapshot in the zone, which is spent.
Result<bool> spend_fast_restore(catalog::Transaction& tx, const Caller& caller,
                                const model::SnapshotId& id, const std::string& zone,
                                UnixMillis now);
// FS-3: ends those of accounts that the snapshot is not shared with any more. The caller writes it.
void end_unshared_fast_restores(model::Snapshot& snapshot, UnixMillis now);

}  // namespace kiln::control
