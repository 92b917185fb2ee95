// SPDX-License-Identifier: Apache-2.0
// Fuzz target: a request in text form, hostile in every part, through parsing, canonicalisation and
// verification. Beyond not crashing: encoding a canonical query again changes nothing, and a
// request that sign() signed verifies.
#include "net/sigv4.h"
#include "util/bytes.h"
#include "util/check.h"
#include "util/strings.h"

namespace {

using namespace kiln;
using namespace kiln::net;

// "METHOD PATH QUERY" on the first line, then "name:value" lines.
struct FuzzedRequest {
    std::string_view method;
    std::string_view path;
    std::string_view query;
    Headers headers;
};

FuzzedRequest take_apart(std::string_view text) {
    FuzzedRequest request;
    bool first = true;
    for (const std::string_view line : split(text, '\n')) {
        if (first) {
            const std::vector<std::string_view> words = split(line, ' ');
            request.method = words[0];
            request.path = words.size() > 1 ? words[1] : "";
            request.query = words.size() > 2 ? words[2] : "";
            first = false;
        } else if (const std::size_t colon = line.find(':'); colon != line.npos) {
            request.headers.add(line.substr(0, colon), line.substr(colon + 1));
        }
    }
    return request;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    FuzzedRequest request = take_apart(as_text({data, size}));
    const UnixMillis now{1'440'938'160'000};  // 2015-08-30T12:36:00Z
    const SigningRequest view{request.method, request.path, request.query, request.headers};
    if (const Result<Authorization> parsed = parse_authorization(view)) {
        (void)verify(*parsed, "secret", view, kUnsignedPayload, now);
    }
    const std::string query = canonical_query(request.query);
    INVARIANT(canonical_query(query) == query);
    INVARIANT(canonical_path(request.path, "ec2").starts_with('/'));

    request.headers.remove("X-Amz-Security-Token");
    request.headers.set("Host", "localhost");
    if (request.query.find("X-Amz-") == request.query.npos && request.headers.size() < 20) {
        sign({"AKID", "secret", ""}, "us-east-1", "ec2", now, request.method, request.path,
             request.query, kUnsignedPayload, request.headers);
        const Result<Authorization> parsed = parse_authorization(view);
        const bool plain =
            std::all_of(request.headers.begin(), request.headers.end(), [](const Header& header) {
                return is_valid_header(header.name, header.value) &&
                       header.name.find(';') == header.name.npos;
            });
        INVARIANT(!plain || (parsed && verify(*parsed, "secret", view, kUnsignedPayload, now)));
    }
    return 0;
}
