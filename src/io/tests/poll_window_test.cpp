// SPDX-License-Identifier: Apache-2.0
#include "io/detail/poll_window.h"

#include <doctest/doctest.h>

using namespace kiln::io;
using namespace std::chrono_literals;

TEST_CASE("a loop that sleeps long never looks") {
    PollWindow window;
    for (int i = 0; i < 10; ++i) {
        window.event_after(100us);
        CHECK(window.length() == 0ns);
    }
}

TEST_CASE("the window grows until it covers the waits, and not beyond its largest") {
    PollWindow window;
    for (const auto expected : {4us, 8us, 16us}) {
        window.event_after(15us);
        CHECK(window.length() == expected);
    }
    window.event_after(15us);
    CHECK(window.length() == 16us);
    for (int i = 0; i < 5; ++i) {
        window.event_after(31us);
    }
    CHECK(window.length() == PollWindow::kLargest);
}

TEST_CASE("one long wait ends the looking") {
    PollWindow window;
    window.event_after(3us);
    window.event_after(PollWindow::kLargest);
    CHECK(window.length() > 0ns);
    window.event_after(PollWindow::kLargest + 1ns);
    CHECK(window.length() == 0ns);
}
