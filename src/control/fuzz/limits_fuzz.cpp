// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the limits file. What is taken is within its bounds. Thread model: pure function.
#include "control/limits_file.h"
#include "util/bytes.h"
#include "util/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    using namespace kiln::control;
    const auto limits = parse_limits(as_text({data, size}));
    if (!limits) {
        INVARIANT(!limits.error().message().empty());
        return 0;
    }
    for (const auto& rate : limits->requests.rates) {
        INVARIANT(!rate || (rate->burst >= 1 && rate->per_second > 0));
    }
    for (const auto& most : limits->quotas.most) {
        INVARIANT(!most || *most <= 1'000'000'000);
    }
    return 0;
}
