// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: any text is a configuration that is read back the same after writing it, or is
// refused; so is a list of neighbours; the texts of the control socket and the record likewise only
// parse or fail.
#include <cstddef>
#include <cstdint>

#include "compute/network/config.h"
#include "compute/network/control_protocol.h"
#include "compute/network/neighbours.h"
#include "compute/network/record.h"
#include "util/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln::compute;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto config = decode_guest_network_config(text)) {
        INVARIANT(check_guest_network(config->spec));
        const auto again = decode_guest_network_config(encode_guest_network_config(*config));
        INVARIANT(again && *again == *config);
        INVARIANT(ports_to_forward(config->spec.rules.ingress, {}).size() <= kMaxForwards);
    }
    if (const auto neighbours = decode_neighbours(text)) {
        const auto again = decode_neighbours(encode_neighbours(*neighbours));
        INVARIANT(again && *again == *neighbours);
    }
    (void)decode_command(text);
    (void)decode_answer(text);
    (void)decode_network_record(text);
    return 0;
}
