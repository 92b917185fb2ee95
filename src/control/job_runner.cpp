// SPDX-License-Identifier: Apache-2.0
#include "control/job_runner.h"

#include <fmt/format.h>
#include <pthread.h>

#include "util/log.h"

namespace kiln::control {
namespace {

// One node: the leases of its earlier life are its own to give back.
constexpr char kOwner[] = "local";
// Longer than any step takes; a step that hangs past it may be begun by another thread, which its
// idempotence allows.
constexpr std::int64_t kLeaseMs = 10 * 60 * 1000;
// How long to sleep when nothing is due: only a bound, since poke() ends it.
constexpr std::chrono::seconds kIdle{30};

}  // namespace

void JobRunner::handle(std::string kind, Handler handler) {
    kinds_.push_back(kind);
    handlers_.emplace(std::move(kind), std::move(handler));
}

Status JobRunner::start(std::size_t threads) {
    TRY(store_.run([](catalog::Transaction& tx) { return tx.jobs().release(kOwner); }));
    for (std::size_t i = 0; i < threads; ++i) {
        threads_.emplace_back([this] { run(); });
    }
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

void JobRunner::run() {
    pthread_setname_np(pthread_self(), "jobs");
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
        if (!turn()) {
            sleep_until_due(seen);
        }
    }
}

bool JobRunner::turn() {
    const auto leased = store_.run([&](catalog::Transaction& tx) {
        return tx.jobs().lease_next({kinds_, kOwner, clock_.now(), kLeaseMs});
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
    const Status done = handlers_.at(job.kind)(job);
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

void JobRunner::sleep_until_due(std::uint64_t seen) {
    auto until = std::chrono::steady_clock::now() + kIdle;
    const auto due =
        store_.read([&](catalog::Transaction& tx) { return tx.jobs().next_due(kinds_); });
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
