// SPDX-License-Identifier: Apache-2.0
// Any text as a public key to import. What is accepted must come back the same from every form it
// can be printed in.
#include "crypto/ssh_key.h"
#include "util/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    const auto key = crypto::parse_ssh_public_key(as_text(ByteView(data, size)));
    if (!key) {
        INVARIANT(key.error().code() == Code::invalid_argument);
        return 0;
    }
    const auto again = crypto::parse_ssh_public_key(crypto::openssh_line(*key));
    INVARIANT(again.has_value() && again->blob == key->blob && again->type == key->type);
    INVARIANT(crypto::md5_der_fingerprint(*key).size() == 47);
    INVARIANT(crypto::sha256_fingerprint(*key).size() == 44);
    return 0;
}
