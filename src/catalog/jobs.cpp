// SPDX-License-Identifier: Apache-2.0
#include "catalog/jobs.h"

#include "catalog/detail/select.h"
#include "catalog/detail/sql.h"

namespace kiln::catalog {

namespace {

using namespace detail;

constexpr std::string_view kFree = "(lease_until IS NULL OR lease_until <= ?)";

void give_back(model::Job& job) {
    job.lease_owner.clear();
    job.lease_until.reset();
    job.woken = false;
}

}  // namespace

std::int64_t Backoff::after(std::uint32_t attempts) const {
    std::int64_t wait = first_ms;
    for (std::uint32_t i = 1; i < attempts && wait < cap_ms; ++i) {
        wait *= 2;
    }
    return std::min(wait, cap_ms);
}

Status Jobs::add(const model::Job& job) {
    model::Job row = job;
    give_back(row);
    row.lease_epoch = 0;
    return rows_.insert(row);
}

Result<std::optional<model::Job>> Jobs::lease_next(const LeaseRequest& request) {
    Conditions where;
    where.any_of("kind", request.kinds);
    where.raw("not_before <= ?", {to_sql(request.now)});
    where.raw(kFree, {to_sql(request.now)});
    TRY_ASSIGN(const std::vector<SqlRow> rows,
               session_.query(std::move(where).select(
                   "id", "jobs", " ORDER BY not_before, created, id LIMIT 1")));
    if (rows.empty()) {
        return std::optional<model::Job>();
    }
    model::JobId id;
    if (!from_sql(rows[0][0], id)) {
        return Error(Code::data_loss, "jobs: a row has no id");
    }
    TRY_ASSIGN(model::Job job, rows_.get(id));
    job.lease_owner = request.owner;
    job.lease_until = UnixMillis{request.now.value + request.duration_ms};
    ++job.lease_epoch;
    job.woken = false;
    TRY(rows_.update(job));
    return std::optional<model::Job>(std::move(job));
}

Result<std::optional<UnixMillis>> Jobs::next_due(const std::vector<std::string>& kinds) {
    Conditions where;
    where.any_of("kind", kinds);
    // A lease that nobody gives back ends by time, and then the job is due.
    TRY_ASSIGN(const std::vector<SqlRow> rows,
               session_.query(std::move(where).select(
                   "MIN(CASE WHEN lease_until IS NULL OR lease_until < not_before "
                   "THEN not_before ELSE lease_until END)",
                   "jobs", "")));
    std::optional<UnixMillis> due;
    if (rows.size() != 1 || rows[0].size() != 1 || !from_sql(rows[0][0], due)) {
        return Error(Code::data_loss, "jobs: the next due time is not readable");
    }
    return due;
}

Result<model::Job> Jobs::held(const model::Job& job) {
    TRY_ASSIGN(std::optional<model::Job> row, rows_.find(job.id));
    if (!row || row->lease_epoch != job.lease_epoch || row->lease_owner.empty()) {
        return Error(Code::failed_precondition, "job '" + job.id.str() + "': the lease is lost");
    }
    return std::move(*row);
}

Status Jobs::advance(const model::Job& job, UnixMillis lease_until) {
    TRY_ASSIGN(model::Job row, held(job));
    row.step = job.step;
    row.payload = job.payload;
    row.attempts = 0;
    row.last_error.clear();
    row.lease_until = lease_until;
    return rows_.update(row);
}

Status Jobs::park(const model::Job& job, UnixMillis not_before) {
    TRY_ASSIGN(model::Job row, held(job));
    row.step = job.step;
    row.payload = job.payload;
    row.attempts = 0;
    row.last_error.clear();
    if (!row.woken) {
        row.not_before = not_before;
    }
    give_back(row);
    return rows_.update(row);
}

Status Jobs::fail(const model::Job& job, std::string_view error, UnixMillis now,
                  const Backoff& backoff) {
    TRY_ASSIGN(model::Job row, held(job));
    ++row.attempts;
    row.last_error = std::string(error);
    if (!row.woken) {
        row.not_before = UnixMillis{now.value + backoff.after(row.attempts)};
    }
    give_back(row);
    return rows_.update(row);
}

Status Jobs::finish(const model::Job& job) {
    TRY(held(job));
    return rows_.erase(job.id);
}

Result<std::size_t> Jobs::wake(std::string_view subject, UnixMillis now) {
    return session_.execute(
        {"UPDATE jobs SET woken = 1, "
         "not_before = CASE WHEN not_before < ? THEN not_before ELSE ? END WHERE subject = ?",
         {to_sql(now), to_sql(now), std::string(subject)}});
}

Result<std::size_t> Jobs::wake_kinds(const std::vector<std::string>& kinds, UnixMillis now) {
    std::size_t woken = 0;
    for (const std::string& kind : kinds) {
        TRY_ASSIGN(const std::size_t some,
                   session_.execute(
                       {"UPDATE jobs SET woken = 1, not_before = CASE WHEN not_before < ? THEN "
                        "not_before ELSE ? END WHERE kind = ?",
                        {to_sql(now), to_sql(now), kind}}));
        woken += some;
    }
    return woken;
}

Status Jobs::renew(const model::Job& job, UnixMillis lease_until) {
    TRY_ASSIGN(model::Job row, held(job));
    row.lease_until = lease_until;
    return rows_.update(row);
}

Result<std::size_t> Jobs::release(std::string_view owner) {
    return session_.execute(
        {"UPDATE jobs SET lease_owner = '', lease_until = NULL WHERE lease_owner = ?",
         {std::string(owner)}});
}

}  // namespace kiln::catalog
