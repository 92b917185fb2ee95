// SPDX-License-Identifier: Apache-2.0
// The contract of transactions, for every store.
#include <thread>

#include "catalog/tests/backends.h"
#include "catalog/tests/samples.h"

using namespace kiln;
using namespace kiln::model;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;

namespace {

std::size_t count_images(Store& store) {
    auto images = store.read([](Transaction& tx) { return tx.images().list({}); });
    REQUIRE(images.has_value());
    return images->size();
}

Result<int> add_one(Store& store) {
    return store.run([](Transaction& tx) -> Result<int> {
        TRY_ASSIGN(const auto stored, tx.meta().find("counter"));
        const int next = stored ? std::stoi(*stored) + 1 : 1;
        TRY(tx.meta().set("counter", std::to_string(next)));
        return next;
    });
}

// RunInstances as far as tokens go: an image stands for what is created.
Result<std::string> create_once(Store& store, unsigned number) {
    return store.run([&](Transaction& tx) -> Result<std::string> {
        IdempotencyToken token = full_token();
        TRY_ASSIGN(const auto known, tx.tokens().find(token.id()));
        if (known) {
            return known->result;
        }
        const Image image = small_image(number);
        TRY(tx.images().insert(image));
        token.result = image.id.str();
        TRY(tx.tokens().insert(token));
        return token.result;
    });
}

}  // namespace

TEST_CASE_TEMPLATE("an error rolls everything back", Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    const Status done = store->run([](Transaction& tx) -> Status {
        TRY(tx.images().insert(small_image(1)));
        TRY(tx.tags().put({kAlice, "us-east-1", "image", id_of("ami", 1)}, {{"k", "v"}}));
        TRY(tx.jobs().add(small_job(1)));
        return Error::api(Code::failed_precondition, "IncorrectState", "no");
    });
    CHECK(done.error().api_code() == "IncorrectState");
    CHECK(done.error().message() == "no");
    CHECK(count_images(*store) == 0);
    CHECK(store->read([](Transaction& tx) { return tx.tags().list({}); })->empty());
    CHECK(store->read([](Transaction& tx) { return tx.jobs().list({}); })->empty());
}

TEST_CASE_TEMPLATE("what a transaction wrote it reads, and others do not before it commits",
                   Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    const Status done = store->run([&](Transaction& tx) -> Status {
        TRY(tx.images().insert(small_image(1)));
        CHECK(tx.images().get(small_image(1).id).has_value());
        std::thread([&] { CHECK(count_images(*store) == 0); }).join();
        return ok();
    });
    CHECK(done.has_value());
    CHECK(count_images(*store) == 1);
}

TEST_CASE_TEMPLATE("a transaction that goes on after a failure is not committed", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    const Status done = store->run([](Transaction& tx) -> Status {
        TRY(tx.images().insert(small_image(1)));
        TRY(tx.images().insert(small_image(2)));
        Image clash = small_image(2);
        clash.name = small_image(1).name;
        CHECK(tx.images().update(clash).error().code() == Code::already_exists);
        return ok();  // swallows the error
    });
    CHECK(done.error().code() == Code::already_exists);
    CHECK(count_images(*store) == 0);
}

TEST_CASE_TEMPLATE("a function that runs several times has its effects once", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open({.inject_retry_percent = 100});
    int runs = 0;
    const auto done = store->run([&](Transaction& tx) -> Result<int> {
        ++runs;
        CHECK(tx.images().list({})->empty());  // nothing is left of the run before
        TRY(tx.images().insert(small_image(1)));
        return runs;
    });
    CHECK(runs > 1);
    CHECK(*done == runs);  // the result is that of the run that was committed
    CHECK(count_images(*store) == 1);
}

TEST_CASE_TEMPLATE("a failing function is not run again", Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open({.inject_retry_percent = 100});
    int runs = 0;
    const Status done = store->run([&](Transaction&) -> Status {
        ++runs;
        return Error(Code::not_found, "no");
    });
    CHECK(done.error().code() == Code::not_found);
    CHECK(runs == 1);
}

TEST_CASE_TEMPLATE("reads that decide writes are serial over threads and stores", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto first = backend.open();
    auto second = backend.open();  // as another process would
    constexpr int kThreads = 6;
    constexpr int kEach = 25;
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    for (int n = 0; n < kThreads; ++n) {
        threads.emplace_back([&, n] {
            for (int i = 0; i < kEach; ++i) {
                failures += add_one(n % 2 == 0 ? *first : *second).has_value() ? 0 : 1;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(failures == 0);
    CHECK(*add_one(*first) == kThreads * kEach + 1);
}

// Threads that write at once may be committed together; none of them may notice.
TEST_CASE_TEMPLATE("what is answered is what was committed, whatever others do at the time",
                   Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open({.durable = true});
    REQUIRE(store->run([](Transaction& tx) { return tx.images().insert(small_image(1)); }));
    constexpr int kThreads = 8;
    constexpr int kEach = 40;
    const auto key = [](int thread, int i) {
        return std::to_string(thread) + "." + std::to_string(i);
    };
    std::vector<std::thread> threads;
    std::vector<std::vector<Status>> outcomes(kThreads);
    for (int thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&, thread] {
            for (int i = 0; i < kEach; ++i) {
                outcomes[thread].push_back(store->run([&](Transaction& tx) -> Status {
                    TRY(tx.meta().set(key(thread, i), "here"));
                    if (i % 5 == 3) {
                        return Error::api(Code::invalid_argument, "InvalidParameterValue", "no");
                    }
                    if (i % 8 == 7) {  // the database refuses, and that is swallowed
                        TRY(tx.images().insert(small_image(2)));
                        Image clash = small_image(2);
                        clash.name = small_image(1).name;
                        (void)tx.images().update(clash);
                    }
                    return ok();
                }));
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (int thread = 0; thread < kThreads; ++thread) {
        for (int i = 0; i < kEach; ++i) {
            CAPTURE(thread);
            CAPTURE(i);
            const Status& outcome = outcomes[thread][i];
            const auto found =
                store->read([&](Transaction& tx) { return tx.meta().find(key(thread, i)); });
            REQUIRE(found);
            CHECK(found->has_value() == outcome.has_value());
            if (i % 5 == 3) {
                CHECK(outcome.error().api_code() == "InvalidParameterValue");
            } else if (i % 8 == 7) {
                CHECK(outcome.error().code() == Code::already_exists);
            } else {
                CHECK(outcome.has_value());
            }
        }
    }
    CHECK(count_images(*store) == 1);
}

TEST_CASE_TEMPLATE("IDM-3: of concurrent requests with one token exactly one creates", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto first = backend.open();
    auto second = backend.open();
    constexpr unsigned kThreads = 8;
    std::vector<std::string> results(kThreads);
    std::vector<std::thread> threads;
    for (unsigned n = 0; n < kThreads; ++n) {
        threads.emplace_back([&, n] {
            const auto created = create_once(n % 2 == 0 ? *first : *second, n);
            results[n] = created ? *created : created.error().to_string();
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(count_images(*first) == 1);
    for (const std::string& result : results) {
        CHECK(result == results[0]);
    }
    CHECK(results[0].starts_with("ami-"));
}

TEST_CASE_TEMPLATE("IDM-4: a refused request does not bind its token", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    const Status refused = store->run([](Transaction& tx) -> Status {
        TRY(tx.tokens().insert(full_token()));
        return Error(Code::resource_exhausted, "no capacity");
    });
    CHECK_FALSE(refused.has_value());
    CHECK(create_once(*store, 5)->starts_with("ami-"));
}

TEST_CASE_TEMPLATE("IDM-5: tokens are found by their result and by their age", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    REQUIRE(create_once(*store, 1).has_value());
    const auto count = [&](const TokenQuery& query) {
        return store->read([&](Transaction& tx) { return tx.tokens().list(query); })->size();
    };
    CHECK(count({.result = id_of("ami", 1)}) == 1);
    CHECK(count({.result = id_of("ami", 2)}) == 0);
    CHECK(count({.action = "RunInstances", .created_before = UnixMillis{33}}) == 1);
    CHECK(count({.created_before = UnixMillis{32}}) == 0);
}

TEST_CASE_TEMPLATE("a read sees one moment, whatever is committed meanwhile", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    REQUIRE(add_one(*store).has_value());
    const auto counter = [](Transaction& tx) { return **tx.meta().find("counter"); };
    const Status done = store->read([&](Transaction& tx) -> Status {
        const std::string before = counter(tx);
        std::thread([&] { CHECK(add_one(*store).has_value()); }).join();
        CHECK(counter(tx) == before);
        return ok();
    });
    CHECK(done.has_value());
    CHECK(*add_one(*store) >= 3);
}

TEST_CASE_TEMPLATE("more readers than connections take turns", Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    REQUIRE(add_one(*store).has_value());
    std::atomic<int> good = 0;
    std::vector<std::thread> threads;
    for (int n = 0; n < 16; ++n) {
        threads.emplace_back([&] {
            for (int i = 0; i < 20; ++i) {
                const auto found =
                    store->read([](Transaction& tx) { return tx.meta().find("counter"); });
                good += found && *found ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(good == 16 * 20);
}

TEST_CASE_TEMPLATE("what was committed is there when the store is opened again", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    {
        auto store = backend.open();
        REQUIRE(store->run([](Transaction& tx) { return tx.images().insert(full_image()); })
                    .has_value());
    }
    auto store = backend.open();
    const auto image =
        store->read([](Transaction& tx) { return tx.images().get(full_image().id); });
    CHECK(*image == full_image());
}
