// SPDX-License-Identifier: Apache-2.0
#include "io/detail/poll_window.h"

#include <doctest/doctest.h>

using namespace kiln::io;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kShallow = PollWindow::kDeep - 1;
constexpr std::size_t kDeep = PollWindow::kDeep;

}  // namespace

TEST_CASE("a loop that sleeps long never looks") {
    PollWindow window;
    for (int i = 0; i < 10; ++i) {
        window.event_after(100us, kShallow);
        CHECK(window.length(kShallow) == 0ns);
    }
}

TEST_CASE("the window grows until it covers the waits, and not beyond its largest") {
    PollWindow window;
    for (const auto expected : {4us, 8us, 16us}) {
        window.event_after(15us, kShallow);
        CHECK(window.length(kShallow) == expected);
    }
    window.event_after(15us, kShallow);
    CHECK(window.length(kShallow) == 16us);
    for (int i = 0; i < 5; ++i) {
        window.event_after(31us, kShallow);
    }
    CHECK(window.length(kShallow) == PollWindow::kLargest);
}

TEST_CASE("one long wait ends the looking") {
    PollWindow window;
    window.event_after(3us, kShallow);
    window.event_after(PollWindow::kLargest, kShallow);
    CHECK(window.length(kShallow) > 0ns);
    window.event_after(PollWindow::kLargest + 1ns, kShallow);
    CHECK(window.length(kShallow) == 0ns);
}

TEST_CASE("with many reads at the disk it looks at once, and goes on while answers come") {
    PollWindow window;
    CHECK(window.length(kShallow) == 0ns);
    CHECK(window.length(kDeep) == PollWindow::kDeepLength);
    for (int i = 0; i < 3 * PollWindow::kVain; ++i) {
        window.event_after(i % PollWindow::kVain == 0 ? PollWindow::kDeepLength : 1ms, kDeep);
        CHECK(window.length(kDeep) == PollWindow::kDeepLength);
    }
    CHECK(window.length(kShallow) == 0ns);
}

TEST_CASE("a slow disk is not looked at for most of the time") {
    PollWindow window;
    auto looked = 0ns;
    auto slept = 0ns;
    for (int i = 0; i < 10'000; ++i) {
        constexpr auto kAnswer = 5ms;
        const auto length = window.length(kDeep);
        looked += length;
        slept += kAnswer - length;
        window.event_after(kAnswer, kDeep);
    }
    CHECK(looked > 0ns);  // it tries again
    CHECK(slept > 7 * looked);
}

TEST_CASE("who wants the processor gets it") {
    PollWindow window;
    window.looks_apart(PollWindow::kLost);
    CHECK(window.length(kDeep) == PollWindow::kDeepLength);

    window.looks_apart(PollWindow::kLost + 1ns);
    for (auto slept = 0ns; slept < PollWindow::kRest; slept += 100us) {
        CHECK(window.length(kDeep) == 0ns);
        window.event_after(100us, kDeep);
    }
    CHECK(window.length(kDeep) == PollWindow::kDeepLength);
}
