// SPDX-License-Identifier: Apache-2.0
// Fuzz target: any bytes as the request of any built operation. The first two bytes choose the
// operation, the rest is the body in its service's protocol; of the REST protocol, a line each for
// path and query, headers as "name: value", an empty line, and the body. Parsing never crashes, and
// an error always carries a code and is the client's fault. The corpus runs as a plain test.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "api/codec/errors.h"
#include "api/codec/json_codec.h"
#include "api/codec/query_parser.h"
#include "api/codec/rest_codec.h"
#include "api/generated/operations.h"
#include "util/check.h"

namespace {

using namespace kiln;
using namespace kiln::api;

std::vector<const OperationInfo*> built_operations() {
    std::vector<const OperationInfo*> built;
    for (const ServiceInfo* service : services()) {
        for (const OperationInfo& operation : service->operations) {
            if (operation.built()) {
                built.push_back(&operation);
            }
        }
    }
    return built;
}

// What is before the next line's end; `text` goes on behind it.
std::string_view take_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

Status parse_rest(const OperationInfo& operation, std::string_view text, void* request) {
    TRY_ASSIGN(const RestRoute route,
               find_route(*operation.service, operation.http.method, take_line(text)));
    RestRequest http;
    http.query = take_line(text);
    std::vector<std::pair<std::string_view, std::string_view>> headers;
    for (auto line = take_line(text); !line.empty(); line = take_line(text)) {
        const std::size_t colon = std::min(line.find(": "), line.size());
        headers.emplace_back(line.substr(0, colon), line.substr(std::min(colon + 2, line.size())));
    }
    http.header = [&](std::string_view name) -> std::optional<std::string_view> {
        for (const auto& header : headers) {
            if (header.first == name) {
                return header.second;
            }
        }
        return std::nullopt;
    };
    http.body = as_bytes(text);
    if (route.operation != &operation) {  // another one has this path: its struct is another
        const auto other = route.operation->request->create();
        return parse_rest_request(route, http, other.get());
    }
    return parse_rest_request(route, http, request);
}

Status parse(const OperationInfo& operation, std::string_view body, void* request) {
    if (operation.service->protocol == Protocol::json) {
        return parse_json_request(operation, body, request);
    }
    if (operation.service->protocol == Protocol::rest_json) {
        return parse_rest(operation, body, request);
    }
    TRY_ASSIGN(const QueryParams params, QueryParams::parse({}, body));
    return parse_request(operation, params, request);
}

void expect_client_error(const kiln::Error& error) {
    INVARIANT(error.has_api_code());
    INVARIANT(to_wire(error).sender_fault());
    INVARIANT(to_rest_error(error).http_status < 500);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::vector<const OperationInfo*> built = built_operations();
    if (size < 2) {
        return 0;
    }
    const OperationInfo& operation = *built[(data[0] | data[1] << 8U) % built.size()];
    const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
    const auto request = operation.request->create();
    const Status parsed = parse(operation, body, request.get());
    if (!parsed) {
        expect_client_error(parsed.error());
    }
    return 0;
}
