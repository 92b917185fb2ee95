// SPDX-License-Identifier: Apache-2.0
// The contract of durable jobs, for every store. Time is a number here: nothing waits.
#include <thread>

#include "catalog/tests/backends.h"
#include "catalog/tests/samples.h"

using namespace kiln;
using namespace kiln::model;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;

namespace {

constexpr UnixMillis at(std::int64_t time) {
    return UnixMillis{time};
}

std::optional<Job> lease(Store& store, std::int64_t now, const std::string& owner = "a",
                         std::vector<std::string> kinds = {}) {
    auto job = store.run([&](Transaction& tx) {
        return tx.jobs().lease_next({kinds, owner, at(now), 1000});
    });
    REQUIRE_MESSAGE(job.has_value(), (job ? "" : job.error().to_string()));
    return std::move(*job);
}

// Where there must be one.
Job leased(Store& store, std::int64_t now, const std::string& owner = "a") {
    auto job = lease(store, now, owner);
    REQUIRE(job.has_value());
    return std::move(*job);
}

void add(Store& store, Job job) {
    REQUIRE(store.run([&](Transaction& tx) { return tx.jobs().add(job); }).has_value());
}

Job stored(Store& store, const JobId& id) {
    auto job = store.read([&](Transaction& tx) { return tx.jobs().get(id); });
    REQUIRE(job.has_value());
    return std::move(*job);
}

std::size_t wake(Store& store, const std::string& subject, std::int64_t now) {
    return *store.run([&](Transaction& tx) { return tx.jobs().wake(subject, at(now)); });
}

}  // namespace

TEST_CASE_TEMPLATE("jobs are leased when due, the longest waiting first, and to one owner only",
                   Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    Job late = small_job(1);
    late.not_before = at(500);
    Job early = small_job(2);
    early.not_before = at(100);
    add(*store, late);
    add(*store, early);

    CHECK_FALSE(lease(*store, 99).has_value());
    CHECK(leased(*store, 500).id == early.id);
    CHECK(leased(*store, 500, "b").id == late.id);
    CHECK_FALSE(lease(*store, 500).has_value());
}

TEST_CASE_TEMPLATE("a worker is given only the kinds it knows", Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    add(*store, small_job(1, "destage"));
    CHECK_FALSE(lease(*store, 10, "a", {"launch", "stop"}).has_value());
    CHECK(lease(*store, 10, "a", {"launch", "destage"}).has_value());
}

TEST_CASE_TEMPLATE("a step and its effects are committed together", Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    add(*store, small_job(1));
    Job job = leased(*store, 10);
    job.step = "second";
    job.payload = "{}";
    REQUIRE(store
                ->run([&](Transaction& tx) -> Status {
                    TRY(tx.images().insert(small_image(1)));
                    return tx.jobs().advance(job, at(2000));
                })
                .has_value());
    CHECK(stored(*store, job.id).step == "second");
    CHECK(stored(*store, job.id).payload == "{}");
    CHECK_FALSE(lease(*store, 1500).has_value());  // the lease was kept, and prolonged

    REQUIRE(store->run([&](Transaction& tx) { return tx.jobs().finish(job); }).has_value());
    CHECK(store->read([](Transaction& tx) { return tx.jobs().list({}); })->empty());
}

TEST_CASE_TEMPLATE("a worker that lost its lease cannot commit anything", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    add(*store, small_job(1));
    const Job slow = leased(*store, 10, "a");
    const Job taken = leased(*store, 1010, "b");  // the first lease has run out
    CHECK(taken.id == slow.id);
    CHECK(taken.lease_epoch > slow.lease_epoch);

    const auto refused = [&](auto step) {
        const Status done = store->run([&](Transaction& tx) -> Status {
            TRY(tx.images().insert(small_image(1)));
            Jobs jobs = tx.jobs();
            return step(jobs);
        });
        REQUIRE_FALSE(done.has_value());
        CHECK(done.error().code() == Code::failed_precondition);
    };
    refused([&](Jobs& jobs) { return jobs.advance(slow, at(9999)); });
    refused([&](Jobs& jobs) { return jobs.park(slow, at(9999)); });
    refused([&](Jobs& jobs) { return jobs.fail(slow, "x", at(1020), {}); });
    refused([&](Jobs& jobs) { return jobs.finish(slow); });
    CHECK(store->read([](Transaction& tx) { return tx.images().list({}); })->empty());
    CHECK(stored(*store, slow.id) == taken);
}

TEST_CASE_TEMPLATE("a late worker whose job nobody took may still commit", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    add(*store, small_job(1));
    const Job job = leased(*store, 10);
    CHECK(store->run([&](Transaction& tx) { return tx.jobs().finish(job); }).has_value());
}

TEST_CASE_TEMPLATE("a failed step is tried again after a growing wait, from where it stood",
                   Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    add(*store, small_job(1));
    std::int64_t now = 10;
    for (const std::int64_t wait : {200, 400, 800}) {
        Job job = leased(*store, now);
        job.step = "half done";
        REQUIRE(store
                    ->run([&](Transaction& tx) {
                        return tx.jobs().fail(job, "no luck", at(now), {200, 60'000});
                    })
                    .has_value());
        CHECK_FALSE(lease(*store, now + wait - 1).has_value());
        now += wait;
    }
    const Job job = leased(*store, now);
    CHECK(job.attempts == 3);
    CHECK(job.last_error == "no luck");
    CHECK(job.step == "first");
    // A step that is done clears the score.
    REQUIRE(store->run([&](Transaction& tx) { return tx.jobs().park(job, at(now)); }).has_value());
    CHECK(stored(*store, job.id).attempts == 0);
    CHECK(stored(*store, job.id).last_error.empty());
}

TEST_CASE("a back-off grows to its cap and no further") {
    const Backoff backoff{200, 60'000};
    CHECK(backoff.after(1) == 200);
    CHECK(backoff.after(2) == 400);
    CHECK(backoff.after(9) == 51'200);
    CHECK(backoff.after(10) == 60'000);
    CHECK(backoff.after(4'000'000'000) == 60'000);
}

TEST_CASE_TEMPLATE("a parked job is woken early", Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    add(*store, small_job(1));
    add(*store, small_job(2));
    Job job = leased(*store, 10);
    REQUIRE(store->run([&](Transaction& tx) { return tx.jobs().park(job, at(5000)); }).has_value());
    CHECK(leased(*store, 10).id == small_job(2).id);
    CHECK_FALSE(lease(*store, 20).has_value());
    CHECK(wake(*store, "nobody", 20) == 0);
    CHECK(wake(*store, job.subject, 20) == 1);
    CHECK(leased(*store, 20).id == job.id);
}

TEST_CASE_TEMPLATE("a call that comes while the step runs is not lost", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    add(*store, small_job(1));
    for (const bool fails : {false, true}) {
        const Job job = leased(*store, 10);
        REQUIRE(wake(*store, job.subject, 15) == 1);
        REQUIRE(store
                    ->run([&](Transaction& tx) {
                        return fails ? tx.jobs().fail(job, "x", at(16), {})
                                     : tx.jobs().park(job, at(5000));
                    })
                    .has_value());
    }
    // Once heard, it is over: the next wait is a real one.
    const Job job = leased(*store, 16);
    REQUIRE(store->run([&](Transaction& tx) { return tx.jobs().park(job, at(5000)); }).has_value());
    CHECK_FALSE(lease(*store, 4999).has_value());
}

TEST_CASE_TEMPLATE("the catalog tells how long a worker may sleep", Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    const auto due = [&](const std::vector<std::string>& kinds) {
        return *store->read([&](Transaction& tx) { return tx.jobs().next_due(kinds); });
    };
    CHECK_FALSE(due({}).has_value());
    Job job = small_job(1);
    job.not_before = at(700);
    add(*store, job);
    CHECK(*due({}) == at(700));
    CHECK(*due({"kind"}) == at(700));
    CHECK_FALSE(due({"other"}).has_value());
    REQUIRE(lease(*store, 800).has_value());
    CHECK(*due({}) == at(1800));  // if its worker never comes back
}

TEST_CASE_TEMPLATE("after a crash a node takes its own leases back at once, others by time",
                   Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    JobId own;
    JobId others;
    {
        auto store = backend.open();
        add(*store, small_job(1));
        add(*store, small_job(2));
        own = leased(*store, 10, "this node").id;
        others = leased(*store, 10, "another node").id;
    }
    auto store = backend.open();
    CHECK_FALSE(lease(*store, 11, "this node").has_value());
    CHECK(*store->run([](Transaction& tx) { return tx.jobs().release("this node"); }) == 1);
    CHECK(leased(*store, 11, "this node").id == own);
    CHECK_FALSE(lease(*store, 1009, "this node").has_value());
    CHECK(leased(*store, 1010, "this node").id == others);
}

TEST_CASE_TEMPLATE("jobs are found by their subject", Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    add(*store, small_job(1, "launch"));
    add(*store, small_job(2, "stop"));
    const auto count = [&](const JobQuery& query) {
        return store->read([&](Transaction& tx) { return tx.jobs().list(query); })->size();
    };
    CHECK(count({.subject = small_job(1).subject}) == 1);
    CHECK(count({.kinds = {"stop"}, .subject = small_job(1).subject}) == 0);
    CHECK(count({.kinds = {"stop"}}) == 1);
}

TEST_CASE_TEMPLATE("several workers do every job exactly once", Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    constexpr unsigned kJobs = 40;
    for (unsigned n = 0; n < kJobs; ++n) {
        add(*store, small_job(n));
    }
    std::atomic<unsigned> failures = 0;
    std::vector<std::thread> workers;
    for (int n = 0; n < 4; ++n) {
        workers.emplace_back([&, n] {
            while (true) {
                auto job = store->run([&](Transaction& tx) {
                    return tx.jobs().lease_next({{}, "w" + std::to_string(n), at(100), 1000});
                });
                if (!job || !*job) {
                    failures += job ? 0 : 1;
                    return;
                }
                // The image's id is the job's: doing it twice would clash.
                const Status done = store->run([&](Transaction& tx) -> Status {
                    Image image = small_image(static_cast<unsigned>((*job)->created.value));
                    TRY(tx.images().insert(image));
                    return tx.jobs().finish(**job);
                });
                failures += done ? 0 : 1;
            }
        });
    }
    for (std::thread& worker : workers) {
        worker.join();
    }
    CHECK(failures == 0);
    CHECK(store->read([](Transaction& tx) { return tx.images().list({}); })->size() == kJobs);
}
