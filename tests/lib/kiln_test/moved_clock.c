// SPDX-License-Identifier: Apache-2.0
// Moves the time of day of a process it is loaded into (LD_PRELOAD) by KILN_TEST_SECONDS_AHEAD. What is measured by the monotonic
// clock, as timeouts are, stays as it is.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Not by dlsym: a sanitizer asks the time before it can be called.
int clock_gettime(clockid_t clock, struct timespec* now) {
    const int result = (int)syscall(SYS_clock_gettime, clock, now);
    const char* ahead = getenv("KILN_TEST_SECONDS_AHEAD");
    if (result == 0 && clock == CLOCK_REALTIME && ahead) {
        now->tv_sec += atol(ahead);
    }
    return result;
}
