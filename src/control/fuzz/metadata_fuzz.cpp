// SPDX-License-Identifier: Apache-2.0
// What a guest may send to the metadata service: the path of a request up to the first newline,
// then the time to live it wants.
#include "control/metadata_facts.h"
#include "control/metadata_tokens.h"
#include "util/bytes.h"
#include "util/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    static const control::MetadataTree tree = [] {
        control::MetadataFacts facts;
        facts.instance.mac = "02:00:00:00:00:01";
        facts.instance.public_key = "ssh-rsa AAAA";
        return control::build_metadata_tree(facts);
    }();
    const std::string_view text = as_text(ByteView(data, size));
    const std::size_t end = text.find('\n');
    if (const auto path = control::split_metadata_path(text.substr(0, end))) {
        const auto found = tree.find(*path);
        INVARIANT(!found || !found->leaf || !path->empty());
    }
    if (end != text.npos) {
        const auto ttl = control::parse_token_ttl(text.substr(end + 1));
        INVARIANT(!ttl || (*ttl >= control::kMinTokenTtl && *ttl <= control::kMaxTokenTtl));
    }
    return 0;
}
