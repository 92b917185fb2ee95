// SPDX-License-Identifier: Apache-2.0
// PollWindow: for how long a loop looks for the next event by itself before it sleeps in the
// kernel. On a virtual machine it takes tens of microseconds to wake a processor that sleeps, more
// than a disk needs for a request; a loop whose events come quicker than that is better off
// awake. It looks only while it pays: the window grows when a sleep would have been avoided by a
// larger one, and is given up when events stay away for longer than the largest (the method of
// QEMU's event loops, util/aio-posix.c).
//
// While many reads are at the disk the rule is another one. A disk whose interrupts have to
// wake a processor answers in slow batches, and a window that grows with what it sees would never
// see the quick answers of a loop that stays awake. So it looks at once, for long, and rests from
// it when that was in vain or when another wanted the processor. Not for writes: those that need
// room in a file are done by threads of the kernel, which want the processor too.
// Thread model: plain value with one owner.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace kiln::io {

class PollWindow {
  public:
    using Duration = std::chrono::nanoseconds;
    // A processor that looks in vain is lost for so long to others each time it would sleep.
    static constexpr Duration kLargest = std::chrono::microseconds(32);
    static constexpr Duration kFirst = std::chrono::microseconds(4);
    // The window while at least kDeep reads are at the disk.
    static constexpr Duration kDeepLength = std::chrono::microseconds(600);
    static constexpr std::size_t kDeep = 8;
    // So many of these in vain, one after the other, and the disk is a slow one: it rests, which
    // leaves a disk that never answers in time an eighth of a processor.
    static constexpr int kVain = 4;
    static constexpr Duration kRest = std::chrono::milliseconds(20);  // of sleep
    // Two looks further apart than this: another had the processor in between, for more than an
    // interrupt or one of the kernel's short errands takes.
    static constexpr Duration kLost = std::chrono::microseconds(50);

    // `reads`: those that the disk has to answer. None: sleep at once.
    Duration length(std::size_t reads) const {
        return reads >= kDeep && rest_ <= Duration(0) ? kDeepLength : length_;
    }

    // So long it took from the moment when nothing was left to do to the next event.
    void event_after(Duration waited, std::size_t reads) {
        if (reads >= kDeep) {
            deep_event_after(waited);
        } else if (waited > kLargest) {
            length_ = Duration(0);
        } else if (waited > length_) {
            length_ = std::min(kLargest, std::max(kFirst, 2 * length_));
        }
    }

    // Two looks that followed each other were so far apart. The short window bears with it: who
    // took the processor was as a rule the one that this loop had just answered.
    void looks_apart(Duration gap) {
        if (gap > kLost) {
            rest_ = kRest;
        }
    }

  private:
    void deep_event_after(Duration waited) {
        if (rest_ > Duration(0)) {
            rest_ -= waited;
        } else if (waited <= kDeepLength) {
            vain_ = 0;
        } else if (++vain_ == kVain) {
            vain_ = 0;
            rest_ = kRest;
        }
    }

    Duration length_{0};
    Duration rest_{0};
    int vain_ = 0;
};

}  // namespace kiln::io
