// SPDX-License-Identifier: Apache-2.0
#include "control/scrub.h"

#include <fmt/format.h>

#include <algorithm>

#include "block/image/pack_check.h"
#include "util/log.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr char kIdle[] = "idle";
constexpr char kPass[] = "pass";
// "passes, end of the last in ms, packs, bytes, damaged packs" of the last pass that is over.
constexpr char kLastKey[] = "scrub.last";
constexpr model::PackState kStates[] = {model::PackState::stored, model::PackState::condemned};
// One turn of the job reads what the rate allows in this time, and one pack at least.
constexpr std::uint64_t kTurnSeconds = 2;
constexpr std::size_t kPage = 64;
constexpr std::chrono::seconds kReadTime{60};
constexpr std::int64_t kLookAgainMs = 3'600'000;

std::vector<std::uint64_t> numbers(const std::string& text) {
    std::vector<std::uint64_t> found;
    for (const auto& part : split(text, ' ')) {
        found.push_back(parse_int<std::uint64_t>(part).value_or(0));
    }
    found.resize(5);
    return found;
}

}  // namespace

// What the job carries from turn to turn.
struct Scrub::Progress {
    std::uint64_t state = 0;  // of kStates
    std::uint64_t after = 0;  // the number of the last pack of that state that was read
    std::uint64_t packs = 0;
    std::uint64_t bytes = 0;
    std::uint64_t damaged = 0;

    static Progress parse(const std::string& text) {
        const auto at = numbers(text);
        return {at[0], at[1], at[2], at[3], at[4]};
    }
    std::string text() const {
        return fmt::format("{} {} {} {} {}", state, after, packs, bytes, damaged);
    }
};

void Scrub::install(JobRunner& runner) {
    runner.handle(
        kScrubJob, [this](const model::Job& job) { return run(job); }, kScrubSubject);
}

Status Scrub::ensure_job() {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        catalog::JobQuery query;
        query.kinds = {kScrubJob};
        TRY_ASSIGN(const auto jobs, tx.jobs().list(query));
        const UnixMillis now = parts_.clock.now();
        if (jobs.empty()) {
            return tx.jobs().add(make_job(parts_.rng, now, kScrubJob, kScrubSubject, kIdle));
        }
        TRY(tx.jobs().wake(kScrubSubject, now));  // the settings may be other ones now
        return ok();
    });
}

Result<ScrubReport> Scrub::report() {
    return parts_.store.read([](catalog::Transaction& tx) -> Result<ScrubReport> {
        TRY_ASSIGN(const auto last, tx.meta().find(kLastKey));
        const auto at = numbers(last.value_or(""));
        ScrubReport report{at[0], UnixMillis{static_cast<std::int64_t>(at[1])}, at[2], at[3],
                           at[4]};
        catalog::JobQuery query;
        query.kinds = {kScrubJob};
        TRY_ASSIGN(const auto jobs, tx.jobs().list(query));
        if (!jobs.empty() && jobs.front().step == kPass) {
            report.damaged =
                std::max(report.damaged, Progress::parse(jobs.front().payload).damaged);
        }
        return report;
    });
}

Status Scrub::run(model::Job job) {
    const UnixMillis now = parts_.clock.now();
    const bool wanted = parts_.settings.scrub_bytes_per_second != 0;
    if (job.step == kIdle || !wanted) {
        TRY_ASSIGN(const ScrubReport last, report());
        const UnixMillis before = last.passes > 0 ? last.ended : job.created;
        const std::int64_t due = before.value + parts_.settings.scrub_period.count();
        if (!wanted || now.value < due) {
            return park(job, wanted ? due : now.value + kLookAgainMs);
        }
    }
    Progress progress = job.step == kPass ? Progress::parse(job.payload) : Progress{};
    std::uint64_t bytes = 0;
    TRY_ASSIGN(const bool over, check_some(progress, bytes));
    if (over) {
        return end_pass(std::move(job), progress);
    }
    job.step = kPass;
    job.payload = progress.text();
    const auto wait = bytes * 1000 / parts_.settings.scrub_bytes_per_second;
    return park(job, parts_.clock.now().value + static_cast<std::int64_t>(wait));
}

// Not for long: a clock that is set back must not stop it for years.
Status Scrub::park(const model::Job& job, std::int64_t until) {
    const std::int64_t latest = parts_.clock.now().value + kLookAgainMs;
    return parts_.store.run([&](catalog::Transaction& tx) {
        return tx.jobs().park(job, UnixMillis{std::min(until, latest)});
    });
}

// True after the last pack.
Result<bool> Scrub::check_some(Progress& progress, std::uint64_t& bytes) {
    const std::uint64_t turn_bytes = kTurnSeconds * parts_.settings.scrub_bytes_per_second;
    while (progress.state < std::size(kStates)) {
        TRY_ASSIGN(const auto page, parts_.store.read([&](catalog::Transaction& tx) {
            return tx.packs().list(kStates[progress.state],
                                   static_cast<std::int64_t>(progress.after), kPage);
        }));
        for (const catalog::PackRow& row : page) {
            if (bytes >= turn_bytes) {
                return false;
            }
            TRY(check(row.pack, progress));
            bytes += row.pack.bytes;
            progress.after = static_cast<std::uint64_t>(row.number);
        }
        if (page.size() < kPage) {
            ++progress.state;
            progress.after = 0;
        }
    }
    return true;
}

Status Scrub::check(const model::PackRecord& pack, Progress& progress) {
    const auto id = block::PackId::from(pack.id);
    std::vector<std::string> problems;
    const auto bytes = parts_.engine.read_pack(id, Deadline::after(kReadTime));
    if (bytes) {
        problems = block::check_pack(*bytes, parts_.store.uuid(), id).problems;
    } else if (bytes.error().code() == Code::not_found || bytes.error().code() == Code::io_error) {
        problems = {bytes.error().message()};
    } else {
        return bytes.error();  // says nothing about the pack
    }
    ++progress.packs;
    progress.bytes += pack.bytes;
    if (problems.empty()) {
        return ok();
    }
    // Garbage collection may have taken it meanwhile.
    TRY_ASSIGN(const auto row, parts_.store.read([&](catalog::Transaction& tx) {
        return tx.packs().find(pack.id);
    }));
    if (!row || std::ranges::find(kStates, row->state) == std::end(kStates)) {
        return ok();
    }
    ++progress.damaged;
    for (const std::string& problem : problems) {
        log_error("scrub", fmt::format("pack {} is damaged: {}", hex_encode(pack.id), problem));
    }
    log_error("scrub",
              "`kiln verify` of an image, snapshot or volume says whether this concerns it; `kiln "
              "fsck` says of all what is hit, while the service is stopped");
    return ok();
}

Status Scrub::end_pass(model::Job job, const Progress& progress) {
    const UnixMillis now = parts_.clock.now();
    job.step = kIdle;
    job.payload.clear();
    log_info("scrub", fmt::format("{} packs read, {} damaged", progress.packs, progress.damaged));
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto last, tx.meta().find(kLastKey));
        TRY(tx.meta().set(
            kLastKey, fmt::format("{} {} {} {} {}", numbers(last.value_or(""))[0] + 1, now.value,
                                  progress.packs, progress.bytes, progress.damaged)));
        return tx.jobs().park(job, now);  // the next turn waits for the period
    });
}

}  // namespace kiln::control
