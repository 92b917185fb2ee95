// SPDX-License-Identifier: Apache-2.0
#include "cli/gc_command.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/print.h"

namespace kiln::cli {

using nlohmann::json;

// The service answers after some seconds in any case; then we ask on.
int run_gc(const ClientChoices& choices, bool as_json) {
    auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    auto answer = (*client)->call("POST", "/kiln/v1/gc");
    while (true) {
        if (!answer) {
            return fail(answer.error());
        }
        const json report = json::parse(*answer);
        if (report["over"].get<bool>()) {
            if (as_json) {
                std::puts(report.dump(2).c_str());
            } else {
                const auto number = [&](const char* name) {
                    return report[name].get<unsigned long long>();
                };
                std::printf("removed %llu packs, %llu bytes; kept %llu packs, %llu bytes\n",
                            number("packsRemoved"), number("bytesRemoved"), number("packsKept"),
                            number("bytesKept"));
                if (number("packsCompacted") > 0) {
                    std::printf(
                        "%llu packs were mostly garbage: %llu bytes of new packs hold the "
                        "rest\n",
                        number("packsCompacted"), number("bytesCopied"));
                }
            }
            return 0;
        }
        answer = (*client)->call("GET", "/kiln/v1/gc?run=" + report["run"].dump());
    }
}

}  // namespace kiln::cli
