// SPDX-License-Identifier: Apache-2.0
// Fuzz target: any bytes as the request of any built operation. The first two bytes choose the
// operation, the rest is the body in its service's protocol. Parsing never crashes, and an error
// always carries a code and is the client's fault. The corpus runs as a plain test.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "api/codec/errors.h"
#include "api/codec/json_codec.h"
#include "api/codec/query_parser.h"
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

Status parse(const OperationInfo& operation, std::string_view body, void* request) {
    if (operation.service->protocol == Protocol::json) {
        return parse_json_request(operation, body, request);
    }
    TRY_ASSIGN(const QueryParams params, QueryParams::parse({}, body));
    return parse_request(operation, params, request);
}

void expect_client_error(const kiln::Error& error) {
    INVARIANT(error.has_api_code());
    INVARIANT(to_wire(error).sender_fault());
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
