// SPDX-License-Identifier: Apache-2.0
// JobRunner: the threads that carry out durable jobs (model/job.h). Each kind has one handler; a
// handler does the work of the job's present step, whose effects it commits together with the job's
// next step, and may be run again after a crash at any point: every step is idempotent.
//
// A handler returns an error when its step failed for now: the job is retried with back-off. A
// handler that gives up for good commits that outcome in the subject's state and finishes the job.
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

class JobRunner {
  public:
    using Handler = std::function<Status(const model::Job& job)>;

    JobRunner(catalog::Store& store, io::Clock& clock) : store_(store), clock_(clock) {}
    ~JobRunner() { stop(); }
    JobRunner(const JobRunner&) = delete;
    JobRunner& operator=(const JobRunner&) = delete;

    // Before start().
    void handle(std::string kind, Handler handler);
    // Gives back the leases of a killed predecessor first.
    Status start(std::size_t threads);
    void stop() EXCLUDES(mutex_);
    // A job was added or woken: look now. Called after the transaction that did it.
    void poke() EXCLUDES(mutex_);

  private:
    void run();
    // True when a job was worked on.
    bool turn();
    void carry_out(const model::Job& job);
    // Until a job is due or poke() was called since it had been called `seen` times.
    void sleep_until_due(std::uint64_t seen) EXCLUDES(mutex_);

    catalog::Store& store_;
    io::Clock& clock_;
    std::map<std::string, Handler> handlers_;
    std::vector<std::string> kinds_;
    Mutex mutex_;
    CondVar wake_;
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::uint64_t pokes_ GUARDED_BY(mutex_) = 0;
    std::vector<std::thread> threads_;
};

// A job of `kind` for `subject`, due now.
model::Job make_job(io::Rng& rng, UnixMillis now, std::string kind, std::string subject,
                    std::string step);

}  // namespace kiln::control
