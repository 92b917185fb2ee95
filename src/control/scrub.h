// SPDX-License-Identifier: Apache-2.0
// Scrub: reads every pack of the image tier now and then, slowly, to find damage before somebody
// needs what is damaged (D9, INT-6). One durable job: a pass over all packs in pieces of some MiB,
// so that it takes no more than the rate of the settings; after the last pack it waits for the
// period. What it finds is logged, and counted for monitoring; nothing is changed.
//
// A service that is restarted goes on where the last one was. Thread-safe, blocking.
#pragma once

#include "control/job_runner.h"
#include "control/parts.h"

namespace kiln::control {

inline constexpr char kScrubJob[] = "packs.scrub";
inline constexpr char kScrubSubject[] = "scrub";

// What passes found.
struct ScrubReport {
    std::uint64_t passes = 0;  // that are over
    UnixMillis ended{};        // the last of them
    std::uint64_t packs = 0;   // it read
    std::uint64_t bytes = 0;
    std::uint64_t damaged = 0;  // packs, in the last pass or so far in the present one
};

class Scrub {
  public:
    explicit Scrub(const Parts& parts) : parts_(parts) {}

    void install(JobRunner& runner);
    // Queues the job if this store has none. At start.
    Status ensure_job();
    Result<ScrubReport> report();

  private:
    struct Progress;
    Status run(model::Job job);
    Status park(const model::Job& job, std::int64_t until);
    Result<bool> check_some(Progress& progress, std::uint64_t& bytes);
    Status check(const model::PackRecord& pack, Progress& progress);
    Status end_pass(model::Job job, const Progress& progress);

    const Parts parts_;
};

}  // namespace kiln::control
