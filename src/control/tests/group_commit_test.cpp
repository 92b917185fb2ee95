// SPDX-License-Identifier: Apache-2.0
// GroupCommit with many threads: who is answered that it is done finds it done, all others do not,
// whoever they were committed with.
#include "control/group_commit.h"

#include <doctest/doctest.h>

#include <thread>

#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

TEST_CASE("what is answered is what was committed, with refusals and failures beside it") {
    const TempDir dir;
    TestService service(dir.path());
    GroupCommit commits(*service.store);
    constexpr int kThreads = 8;
    constexpr int kEach = 40;
    std::vector<std::thread> threads;
    std::vector<std::vector<Status>> outcomes(kThreads);
    for (int thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&, thread] {
            for (int i = 0; i < kEach; ++i) {
                outcomes[thread].push_back(commits.run([&](catalog::Transaction& tx) -> Status {
                    if (i % 5 == 3) {
                        return Error::api(Code::invalid_argument, "InvalidParameterValue", "no");
                    }
                    TRY(tx.meta().set(std::to_string(thread) + "." + std::to_string(i), "here"));
                    return i % 8 == 7 ? Status(Error(Code::io_error, "the store's")) : ok();
                }));
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    int done = 0;
    for (int thread = 0; thread < kThreads; ++thread) {
        for (int i = 0; i < kEach; ++i) {
            CAPTURE(thread);
            CAPTURE(i);
            const Status& outcome = outcomes[thread][i];
            const auto found = service.store->read([&](catalog::Transaction& tx) {
                return tx.meta().find(std::to_string(thread) + "." + std::to_string(i));
            });
            REQUIRE(found);
            CHECK(found->has_value() == outcome.has_value());
            CHECK_FALSE((outcome && (i % 5 == 3 || i % 8 == 7)));
            done += outcome ? 1 : 0;
        }
    }
    CHECK(done > 0);
}
