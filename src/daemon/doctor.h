// SPDX-License-Identifier: Apache-2.0
// `kiln doctor`: what this host offers a service, one line per finding, and the command that mends
// what is missing. Asks, changes nothing. Thread model: one thread, blocking.
#pragma once

#include <string>
#include <vector>

namespace kiln::daemon {

struct Finding {
    enum class Level { good, limited, missing };
    Level level = Level::good;
    std::string what;                   // "accelerator"
    std::string found;                  // "TCG: the processor has neither vmx nor svm"
    std::string mend;                   // a command or a clause; empty: nothing to do
    std::vector<std::string> packages;  // Debian packages that mend it
};

std::vector<Finding> examine_host(const std::string& data_directory);

// 0 when nothing is missing that the service cannot do without.
int run_doctor(const std::string& data_directory);

}  // namespace kiln::daemon
