// SPDX-License-Identifier: Apache-2.0
// guest_network_program guest-network --config FILE [--control-fd N]: what tests start in the place
// of kiln. Thread model: one thread.
#include <cstdlib>
#include <cstring>

#include "compute/network/process.h"

int main(int argc, char** argv) {
    if (argc < 4 || std::strcmp(argv[1], "guest-network") != 0) {
        return 2;
    }
    return kiln::compute::run_guest_network(argv[3], argc > 5 ? std::atoi(argv[5]) : -1);
}
