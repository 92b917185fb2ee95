// SPDX-License-Identifier: Apache-2.0
// JobRunner: the threads that carry out durable jobs (model/job.h). Each kind has one handler; a
// handler does the work of the job's present step, whose effects it commits together with the job's
// next step, and may be run again after a crash at any point: every step is idempotent.
//
// A handler returns an error when its step failed for now: the job is retried with back-off. A
// handler that gives up for good commits that outcome in the subject's state and finishes the job.
// The lease of a job that is being carried out is renewed for as long as that takes.
//
// Kinds run in lanes. The main lane has several threads; every other one has a single thread, for
// work that is long and only ever done one at a time, so that it never keeps the rest waiting.
//
// Thread-safe. start() begins, stop() waits for running steps; both once.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "catalog/store.h"
#include "io/clock.h"
#include "model/job.h"
#include "util/mutex.h"

namespace kiln::control {

// How long a lease lasts unless it is renewed: only a node that is gone or hangs loses one.
inline constexpr std::int64_t kJobLeaseMs = 10LL * 60 * 1000;

class JobRunner {
  public:
    using Handler = std::function<Status(const model::Job& job)>;
    static constexpr char kMainLane[] = "jobs";

    JobRunner(catalog::Store& store, io::Clock& clock) : store_(store), clock_(clock) {}
    ~JobRunner() { stop(); }
    JobRunner(const JobRunner&) = delete;
    JobRunner& operator=(const JobRunner&) = delete;

    // Before start(). The lane's name is that of its threads.
    void handle(std::string kind, Handler handler, const std::string& lane = kMainLane);
    // Gives back the leases of a killed predecessor first. `threads` are those of the main lane.
    Status start(std::size_t threads);
    void stop() EXCLUDES(mutex_);
    // A job was added or woken: look now. Called after the transaction that did it.
    void poke() EXCLUDES(mutex_);

  private:
    using Kinds = std::vector<std::string>;
    void run(const std::string& lane, const Kinds& kinds);
    // True when a job was worked on.
    bool turn(const Kinds& kinds);
    void carry_out(const model::Job& job) EXCLUDES(mutex_);
    // Until a job is due or poke() was called since it had been called `seen` times.
    void sleep_until_due(const Kinds& kinds, std::uint64_t seen) EXCLUDES(mutex_);
    void renew_leases() EXCLUDES(mutex_);
    void renew(const std::vector<model::Job>& running);

    catalog::Store& store_;
    io::Clock& clock_;
    std::map<std::string, Handler> handlers_;
    std::map<std::string, Kinds> lanes_;
    Mutex mutex_;
    CondVar wake_;
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::uint64_t pokes_ GUARDED_BY(mutex_) = 0;
    std::map<model::JobId, model::Job> running_ GUARDED_BY(mutex_);
    std::vector<std::thread> threads_;
};

// A job of `kind` for `subject`, due now.
model::Job make_job(io::Rng& rng, UnixMillis now, std::string kind, std::string subject,
                    std::string step);

}  // namespace kiln::control
