// SPDX-License-Identifier: Apache-2.0
#include "control/job_runner.h"

#include <fmt/format.h>
#include <pthread.h>

#include "util/log.h"

namespace kiln::control {
namespace {

// One node: the leases of its earlier life are its own to give back.
constexpr char kOwner[] = "local";
// Several times within a lease, so that a busy catalog costs none.
constexpr std::chrono::milliseconds kRenewEvery{kJobLeaseMs / 4};
// How long to sleep when nothing is due: only a bound, since poke() ends it.
constexpr std::chrono::seconds kIdle{30};

}  // namespace

void JobRunner::handle(std::string kind, Handler handler, const std::string& lane) {
    lanes_[lane].push_back(kind);
    handlers_.emplace(std::move(kind), std::move(handler));
}

Status JobRunner::start(std::size_t threads) {
    TRY(store_.run([](catalog::Transaction& tx) { return tx.jobs().release(kOwner); }));
    for (const auto& [lane, kinds] : lanes_) {
        for (std::size_t i = 0; i < (lane == kMainLane ? threads : 1); ++i) {
            threads_.emplace_back([this, lane = lane, kinds = kinds] { run(lane, kinds); });
        }
    }
    threads_.emplace_back([this] { renew_leases(); });
    return ok();
}

void JobRunner::stop() {
    {
        MutexLock lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) {
        if (thread.joinable()) {
            thread.join();
        }
    }
}

void JobRunner::poke() {
    {
        MutexLock lock(mutex_);
        ++pokes_;
    }
    wake_.notify_all();
}

void JobRunner::run(const std::string& lane, const Kinds& kinds) {
    pthread_setname_np(pthread_self(), lane.substr(0, 15).c_str());
    while (true) {
        std::uint64_t seen = 0;
        {
            MutexLock lock(mutex_);
            if (stopping_) {
                return;
            }
            // Before looking: a poke that comes while we look must not be slept over.
            seen = pokes_;
        }
        if (!turn(kinds)) {
            sleep_until_due(kinds, seen);
        }
    }
}

bool JobRunner::turn(const Kinds& kinds) {
    const auto leased = store_.run([&](catalog::Transaction& tx) {
        return tx.jobs().lease_next({kinds, kOwner, clock_.now(), kJobLeaseMs});
    });
    if (!leased) {
        log_error("jobs", "cannot lease: " + leased.error().to_string());
        return false;
    }
    if (!*leased) {
        return false;
    }
    carry_out(**leased);
    return true;
}

void JobRunner::carry_out(const model::Job& job) {
    {
        MutexLock lock(mutex_);
        running_[job.id] = job;
    }
    const Status done = handlers_.at(job.kind)(job);
    {
        MutexLock lock(mutex_);
        running_.erase(job.id);
    }
    if (done) {
        return;
    }
    log_warn("jobs",
             fmt::format("{} of {} failed in step '{}' (attempt {}): {}", job.kind, job.subject,
                         job.step, job.attempts + 1, done.error().to_string()));
    const Status recorded = store_.run([&](catalog::Transaction& tx) {
        return tx.jobs().fail(job, done.error().message(), clock_.now(), catalog::Backoff{});
    });
    if (!recorded && recorded.error().code() != Code::failed_precondition) {
        log_error("jobs", "cannot record a failure: " + recorded.error().to_string());
    }
}

void JobRunner::renew_leases() {
    pthread_setname_np(pthread_self(), "job leases");
    while (true) {
        std::vector<model::Job> running;
        {
            MutexLock lock(mutex_);
            const auto until = std::chrono::steady_clock::now() + kRenewEvery;
            while (!stopping_ && wake_.wait_until(lock, until)) {
            }
            if (stopping_) {
                return;
            }
            for (const auto& [id, job] : running_) {
                running.push_back(job);
            }
        }
        renew(running);
    }
}

void JobRunner::renew(const std::vector<model::Job>& running) {
    for (const model::Job& job : running) {
        const Status renewed = store_.run([&](catalog::Transaction& tx) {
            return tx.jobs().renew(job, UnixMillis{clock_.now().value + kJobLeaseMs});
        });
        // A job that has just been parked or finished has no lease to renew.
        if (!renewed && renewed.error().code() != Code::failed_precondition) {
            log_warn("jobs", "cannot renew a lease: " + renewed.error().to_string());
        }
    }
}

void JobRunner::sleep_until_due(const Kinds& kinds, std::uint64_t seen) {
    auto until = std::chrono::steady_clock::now() + kIdle;
    const auto due =
        store_.read([&](catalog::Transaction& tx) { return tx.jobs().next_due(kinds); });
    if (due && *due) {
        const std::int64_t wait_ms = std::max<std::int64_t>((*due)->value - clock_.now().value, 0);
        until =
            std::min(until, std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms));
    }
    MutexLock lock(mutex_);
    while (!stopping_ && pokes_ == seen) {
        if (!wake_.wait_until(lock, until)) {
            return;
        }
    }
}

model::Job make_job(io::Rng& rng, UnixMillis now, std::string kind, std::string subject,
                    std::string step) {
    model::Job job;
    job.id = model::make_id<model::JobId>(rng);
    job.kind = std::move(kind);
    job.subject = std::move(subject);
    job.step = std::move(step);
    job.created = now;
    job.not_before = now;
    return job;
}

}  // namespace kiln::control
