// SPDX-License-Identifier: Apache-2.0
// PollWindow: for how long a loop looks for the next event by itself before it sleeps in the
// kernel. On a virtual machine it takes tens of microseconds to wake a processor that sleeps, more
// than a disk needs for a request; a loop whose events come quicker than that is better off
// awake. It looks only while it pays: the window grows when a sleep would have been avoided by a
// larger one, and is given up when events stay away for longer than the largest (the method of
// QEMU's event loops, util/aio-posix.c). Thread model: plain value with one owner.
#pragma once

#include <algorithm>
#include <chrono>

namespace kiln::io {

class PollWindow {
  public:
    using Duration = std::chrono::nanoseconds;
    // A processor that looks in vain is lost for so long to others each time it would sleep.
    static constexpr Duration kLargest = std::chrono::microseconds(32);
    static constexpr Duration kFirst = std::chrono::microseconds(4);

    // None: sleep at once.
    Duration length() const { return length_; }
    // So long it took from the moment when nothing was left to do to the next event.
    void event_after(Duration waited) {
        if (waited <= length_) {
            return;
        }
        if (waited > kLargest) {
            length_ = Duration(0);
        } else {
            length_ = std::min(kLargest, std::max(kFirst, 2 * length_));
        }
    }

  private:
    Duration length_{0};
};

}  // namespace kiln::io
