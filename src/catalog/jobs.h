// SPDX-License-Identifier: Apache-2.0
// Jobs: durable work within one transaction (model/job.h). A worker's turn is
//
//   run:  job = lease_next({kinds, owner, now, duration})
//         ... the step's slow part, outside any transaction ...
//   run:  the step's effects, then one of advance (goes on at once, keeps the lease), park (later),
//   finish or    run: fail(job, error, now, backoff)
//
// Every one of the last four fails with `failed_precondition` when the lease went to somebody else
// meanwhile, and so undoes the effects in the same transaction. A lease ends by time or by
// release(); it is proven by its epoch, not by the clock.
//
// One owner thread: the one that runs the transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/repository.h"

namespace kiln::catalog {

struct LeaseRequest {
    std::vector<std::string> kinds{};  // empty: any
    std::string owner{};               // the node; the same after a restart
    UnixMillis now{};
    std::int64_t duration_ms = 60'000;
};

// The n-th failure of a step in a row waits first * 2^(n-1), at most `cap`.
struct Backoff {
    std::int64_t first_ms = 200;
    std::int64_t cap_ms = 60'000;
    std::int64_t after(std::uint32_t attempts) const;
};

class Jobs {
  public:
    explicit Jobs(detail::SqlSession& session) : rows_(session), session_(session) {}

    // Queues a job; the fields of the lease are left out. Due from job.not_before.
    Status add(const model::Job& job);
    Result<std::optional<model::Job>> find(const model::JobId& id) { return rows_.find(id); }
    Result<model::Job> get(const model::JobId& id) { return rows_.get(id); }
    Result<std::vector<model::Job>> list(const JobQuery& query) { return rows_.list(query); }

    // The due job that has waited longest, now leased; nothing when none is due.
    Result<std::optional<model::Job>> lease_next(const LeaseRequest& request);
    // When the next job that nobody holds is due; nothing when there is none. How long a worker may
    // sleep.
    Result<std::optional<UnixMillis>> next_due(const std::vector<std::string>& kinds);

    // The step is done: stores job.step and job.payload, forgets failures, keeps the lease until
    // `lease_until`.
    Status advance(const model::Job& job, UnixMillis lease_until);
    // The same, but gives the lease back; due at `not_before`, or at once when somebody woke it
    // since it was leased.
    Status park(const model::Job& job, UnixMillis not_before);
    // The step failed: step and payload stay what they are in the catalog, the lease goes back, due
    // after the back-off, or at once when somebody woke it since it was leased.
    Status fail(const model::Job& job, std::string_view error, UnixMillis now,
                const Backoff& backoff);
    // The work is over: the row goes.
    Status finish(const model::Job& job);

    // All jobs of the subject become due now. One that is leased becomes due as soon as it parks.
    // Returns how many.
    Result<std::size_t> wake(std::string_view subject, UnixMillis now);
    // The same for all jobs of these kinds.
    Result<std::size_t> wake_kinds(const std::vector<std::string>& kinds, UnixMillis now);
    // The step goes on: keeps the lease until then, and stores nothing else.
    Status renew(const model::Job& job, UnixMillis lease_until);
    // Gives back every lease of this owner: what a node does first after a restart. Returns how
    // many.
    Result<std::size_t> release(std::string_view owner);

  private:
    // The stored row, if `job` still holds its lease.
    Result<model::Job> held(const model::Job& job);

    Repository<model::Job> rows_;
    detail::SqlSession& session_;
};

}  // namespace kiln::catalog
