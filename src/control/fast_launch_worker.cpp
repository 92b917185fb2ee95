// SPDX-License-Identifier: Apache-2.0
// FastLaunches: the work of the job (FLN-5, FLN-6). One turn looks at every machine once; what has
// to be waited for is looked at again in the next. What becomes of a machine is in
// fast_launch_machines.cpp.
#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/fast_launches.h"
#include "control/image_rules.h"
#include "util/encoding.h"
#include "util/log.h"

namespace kiln::control {
namespace {

using model::FastLaunch;
using model::FastLaunchState;
using model::PreparingMachine;

// While machines are at work, and while there is nothing to do but to find out what was deleted.
constexpr std::int64_t kWatchMs = 1'000;
constexpr std::int64_t kIdleMs = 60'000;
// Without room for one more machine.
constexpr std::int64_t kFullMs = 5'000;
// What failed this often will not succeed by itself.
constexpr std::uint32_t kMaxAttempts = 4;
constexpr std::size_t kTokenBytes = 16;

constexpr char kFollows[] = "Client.UserInitiated - Lifecycle state transition";

}  // namespace

std::string failure_text(const Error& error) {
    const std::string code =
        error.api_code().empty() ? std::string("Server.InternalError") : error.api_code();
    return code + ": " + errors::told(error, "The snapshot could not be prepared.");
}

Status FastLaunches::park(const model::Job& job, std::int64_t for_ms) {
    return parts_.store.run([&](catalog::Transaction& tx) {
        return tx.jobs().park(job, UnixMillis{parts_.clock.now().value + for_ms});
    });
}

Status FastLaunches::change(const FastLaunchKey& key, const Edit& edit) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(model::Image image, tx.images().get(key.image));
        FastLaunch* launch = find_fast_launch(image, key.account);
        if (launch == nullptr) {
            return ok();
        }
        const FastLaunch before = *launch;
        TRY(edit(tx, *launch));
        return *launch == before ? ok() : tx.images().update(image);
    });
}

Result<std::optional<FastLaunches::Seen>> FastLaunches::look(const FastLaunchKey& key) {
    using Found = std::optional<Seen>;
    return parts_.store.run([&](catalog::Transaction& tx) -> Result<Found> {
        TRY_ASSIGN(auto image, tx.images().find(key.image));
        if (!image || find_fast_launch(*image, key.account) == nullptr) {
            return Found();
        }
        const std::vector<FastLaunch> before = image->fast_launches;
        TRY(end_lost_fast_launches(tx, *image, parts_.clock.now()));
        if (image->fast_launches != before) {
            TRY(tx.images().update(*image));
        }
        Seen seen;
        seen.key = key;
        TRY_ASSIGN(seen.caller, account_caller(tx, key.account, image->region));
        seen.launch = *find_fast_launch(*image, key.account);
        return Found(std::move(seen));
    });
}

Status FastLaunches::turn(const model::Job& job) {
    TRY_ASSIGN(const auto seen, look(FastLaunchKey::parse(job.subject)));
    if (!seen) {
        return parts_.store.run([&](catalog::Transaction& tx) { return tx.jobs().finish(job); });
    }
    const Status done = work(job, *seen);
    if (!done && job.attempts + 1 >= kMaxAttempts && model::prepares(seen->launch.state)) {
        TRY(fail(seen->key, failure_text(done.error())));
    }
    return done;
}

Status FastLaunches::work(const model::Job& job, const Seen& seen) {
    for (const PreparingMachine& machine : seen.launch.machines) {
        if (machine.given_up || model::ends(seen.launch.state)) {
            TRY(drop_machine(seen, machine));
        }
    }
    if (seen.launch.state == FastLaunchState::disabling) {
        return clear(job, seen);
    }
    if (!model::prepares(seen.launch.state)) {
        return park(job, kIdleMs);
    }
    if (!launcher()) {
        return park(job, kWatchMs);
    }
    for (const PreparingMachine& machine : seen.launch.machines) {
        if (!machine.given_up) {
            TRY(advance(seen, machine));
        }
    }
    bool room = true;
    TRY_ASSIGN(auto token, reserve(seen.key));
    while (token) {
        TRY_ASSIGN(room, launch(seen, *token));
        if (!room) {
            break;
        }
        TRY_ASSIGN(token, reserve(seen.key));
    }
    TRY_ASSIGN(const auto after, look(seen.key));
    if (after) {
        TRY(trim(*after));
    }
    const bool waits = after && !after->launch.machines.empty();
    return park(job, !room ? kFullMs : waits ? kWatchMs : kIdleMs);
}

Result<std::optional<std::string>> FastLaunches::reserve(const FastLaunchKey& key) {
    std::optional<std::string> token;
    TRY(change(key, [&](catalog::Transaction& tx, FastLaunch& launch) -> Status {
        token.reset();
        if (!model::prepares(launch.state)) {
            return ok();
        }
        std::vector<model::SnapshotId> there;
        for (const model::SnapshotId& id : launch.ready) {
            TRY_ASSIGN(const auto snapshot, tx.snapshots().find(id));
            if (snapshot && snapshot->state == model::SnapshotState::completed) {
                there.push_back(id);
            }
        }
        launch.ready = std::move(there);
        if (launch.ready.size() >= launch.target) {
            if (launch.state == FastLaunchState::enabling) {
                set_state(launch, FastLaunchState::enabled, kFollows, parts_.clock.now());
            }
            return ok();
        }
        const std::size_t working = model::at_work(launch);
        if (launch.ready.size() + working >= launch.target || working >= launch.parallel) {
            return ok();
        }
        Bytes random(kTokenBytes);
        parts_.rng.fill(random);
        PreparingMachine& machine = launch.machines.emplace_back();
        machine.token = hex_encode(random);
        machine.begun = parts_.clock.now();
        token = machine.token;
        return ok();
    }));
    return token;
}

Status FastLaunches::trim(const Seen& seen) {
    const auto& ready = seen.launch.ready;
    for (std::size_t i = seen.launch.target; i < ready.size(); ++i) {
        TRY(change(seen.key, [&](catalog::Transaction& tx, FastLaunch& launch) -> Status {
            if (launch.ready.size() <= launch.target || std::erase(launch.ready, ready[i]) == 0) {
                return ok();  // a launch took it, or it is wanted again
            }
            TRY_ASSIGN(const auto snapshot, tx.snapshots().find(ready[i]));
            return snapshot ? drop_prepared(tx, parts_, *snapshot) : ok();
        }));
        work_added_();
    }
    return ok();
}

Status FastLaunches::fail(const FastLaunchKey& key, const std::string& why) {
    log_warn("images", fmt::format("fast launch of {} is given up: {}", key.text(), why));
    return change(key, [&](catalog::Transaction& tx, FastLaunch& launch) -> Status {
        if (!model::prepares(launch.state)) {
            return ok();
        }
        set_state(launch,
                  launch.state == FastLaunchState::enabling ? FastLaunchState::enabling_failed
                                                            : FastLaunchState::enabled_failed,
                  why, parts_.clock.now());
        for (PreparingMachine& machine : launch.machines) {
            machine.given_up = true;
        }
        TRY(tx.jobs().wake(key.text(), parts_.clock.now()));  // to end them
        return ok();
    });
}

Status FastLaunches::clear(const model::Job& job, const Seen& seen) {
    const Status cleared = parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(model::Image image, tx.images().get(seen.key.image));
        FastLaunch* launch = find_fast_launch(image, seen.key.account);
        if (launch == nullptr) {
            return tx.jobs().finish(job);
        }
        std::vector<model::SnapshotId> kept;
        std::string why;
        for (const model::SnapshotId& id : launch->ready) {
            TRY_ASSIGN(const auto snapshot, tx.snapshots().find(id));
            if (!snapshot || snapshot->state == model::SnapshotState::deleted) {
                continue;
            }
            TRY_ASSIGN(const auto user, image_using(tx, id));
            if (!user) {
                TRY(erase_snapshot(tx, parts_, *snapshot));
            } else if (!launch->force) {
                kept.push_back(id);
                why = fmt::format(
                    "InvalidSnapshot.InUse: The snapshot {} is in use by {}", id.str(),
                    may_use(*user, seen.caller) ? user->id.str() : "an image of another account");
            }
        }
        if (kept.empty()) {
            std::erase_if(image.fast_launches, [&](const FastLaunch& other) {
                return other.account == seen.key.account;
            });
            TRY(tx.images().update(image));
            return tx.jobs().finish(job);
        }
        launch->ready = std::move(kept);
        set_state(*launch, FastLaunchState::disabling_failed, why, parts_.clock.now());
        TRY(tx.images().update(image));
        return tx.jobs().park(job, UnixMillis{parts_.clock.now().value + kIdleMs});
    });
    work_added_();
    return cleared;
}

}  // namespace kiln::control
