// SPDX-License-Identifier: Apache-2.0
// wire_tool: both directions of the codec, one JSON command a line on standard input and one JSON
// answer a line on standard output, so that a test in another language can compare it with another
// implementation.
//
//   {"parse": "RunInstances", "service": "ec2", "body": "Action=..."}      -> {"value": {...}} or
//   {"error": {...}}
//   {"write": "RunInstances", "service": "ec2", "value": {...}}            -> {"body": "..."}
//   {"write_error": {"code": ..., "message": ..., "status": 400}, "service": "ec2"} -> {"body":
//   "..."}
//   {"built": true}                                                        -> {"ec2":
//   ["DescribeImages", ...], ...}
//
// A member given with an empty value is "" for a string, [] for a list, null for any other.
// Thread model: one thread.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "api/codec/json_codec.h"
#include "api/codec/query_parser.h"
#include "api/codec/xml_writer.h"
#include "api/generated/operations.h"
#include "util/encoding.h"

namespace kiln::api {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kRequestId = "11111111-2222-3333-4444-555555555555";

Json members_to_json(const StructInfo& info, const void* object);
void members_from_json(const StructInfo& info, const Json& json, void* object);

Json to_json(const TypeInfo& type, const void* value) {
    switch (type.kind) {
        case Kind::string:
            return *static_cast<const std::string*>(value);
        case Kind::integer:
            return *static_cast<const std::int32_t*>(value);
        case Kind::long_:
            return *static_cast<const std::int64_t*>(value);
        case Kind::double_:
            return *static_cast<const double*>(value);
        case Kind::boolean:
            return *static_cast<const bool*>(value);
        case Kind::timestamp:
            return format_iso8601(*static_cast<const UnixMillis*>(value));
        case Kind::blob:
            return base64_encode(*static_cast<const Bytes*>(value));
        case Kind::structure:
            return members_to_json(*type.structure, value);
        case Kind::list:
            break;
    }
    Json items = Json::array();
    for (std::size_t i = 0; i < type.list->size(value); ++i) {
        items.push_back(to_json(type.list->item, type.list->at(value, i)));
    }
    return items;
}

Json members_to_json(const StructInfo& info, const void* object) {
    Json json = Json::object();
    for (const MemberInfo& member : info.members) {
        const Presence given = presence(member, object);
        const bool valueless = given == Presence::empty && member.type.kind != Kind::string &&
                               member.type.kind != Kind::list;
        if (given != Presence::absent) {
            json[std::string(member.name)] =
                valueless ? Json() : to_json(member.type, value_of(member, object));
        }
    }
    return json;
}

template <class T>
void set(void* target, T value) {
    *static_cast<T*>(target) = std::move(value);
}

void from_json(const TypeInfo& type, const Json& json, void* target) {
    switch (type.kind) {
        case Kind::string:
            return set(target, json.get<std::string>());
        case Kind::integer:
            return set(target, json.get<std::int32_t>());
        case Kind::long_:
            return set(target, json.get<std::int64_t>());
        case Kind::double_:
            return set(target, json.get<double>());
        case Kind::boolean:
            return set(target, json.get<bool>());
        case Kind::timestamp:
            return set(target, parse_iso8601(json.get<std::string>()).value());
        case Kind::blob:
            return set(target, base64_decode(json.get<std::string>()).value());
        case Kind::structure:
            return members_from_json(*type.structure, json, target);
        case Kind::list:
            for (const Json& item : json) {
                from_json(type.list->item, item, type.list->append(target));
            }
            return;
    }
}

void members_from_json(const StructInfo& info, const Json& json, void* object) {
    for (const auto& [name, value] : json.items()) {
        const auto member =
            std::find_if(info.members.begin(), info.members.end(),
                         [&name = name](const MemberInfo& m) { return m.name == name; });
        if (member == info.members.end()) {
            throw std::runtime_error(std::string(info.name) + " has no member " + name);
        }
        from_json(member->type, value, make_value(*member, object));
    }
}

const ServiceInfo& service_of(const Json& command) {
    const auto name = command.at("service").get<std::string>();
    for (const ServiceInfo* service : services()) {
        if (service->name == name) {
            return *service;
        }
    }
    throw std::runtime_error("no service " + name);
}

const OperationInfo& operation_of(const Json& command, const char* key) {
    const auto name = command.at(key).get<std::string>();
    const OperationInfo* operation = find_operation(service_of(command), name);
    if (operation == nullptr || !operation->built()) {
        throw std::runtime_error("not built: " + name);
    }
    return *operation;
}

Json error_json(const Error& error) {
    const WireError wire = to_wire(error);
    return {{"code", wire.code}, {"message", wire.message}, {"status", wire.http_status}};
}

Status parse_body(const OperationInfo& operation, const std::string& body, void* request) {
    if (operation.service->protocol == Protocol::json) {
        return parse_json_request(operation, body, request);
    }
    TRY_ASSIGN(const QueryParams params, QueryParams::parse("", body));
    return parse_request(operation, params, request);
}

std::string write_body(const OperationInfo& operation, const void* response) {
    return operation.service->protocol == Protocol::json
               ? write_json_response(operation, response)
               : write_response(operation, response, kRequestId);
}

Json parse_command(const Json& command) {
    const OperationInfo& operation = operation_of(command, "parse");
    const auto body = command.at("body").get<std::string>();
    const std::shared_ptr<void> request = operation.request->create();
    const Status parsed = parse_body(operation, body, request.get());
    if (!parsed) {
        return {{"error", error_json(parsed.error())}};
    }
    return {{"value", members_to_json(*operation.request, request.get())}};
}

Json write_command(const Json& command) {
    const OperationInfo& operation = operation_of(command, "write");
    if (operation.response == nullptr) {
        return {{"body", write_body(operation, nullptr)}};
    }
    const std::shared_ptr<void> response = operation.response->create();
    members_from_json(*operation.response, command.at("value"), response.get());
    return {{"body", write_body(operation, response.get())}};
}

Json run(const Json& command) {
    if (command.contains("parse")) {
        return parse_command(command);
    }
    if (command.contains("write")) {
        return write_command(command);
    }
    if (command.contains("write_error")) {
        const Json& json = command["write_error"];
        const WireError error{json.at("code"), json.at("message"), json.at("status")};
        const ServiceInfo& service = service_of(command);
        return {{"body", service.protocol == Protocol::json
                             ? write_json_error(error)
                             : write_error(service, error, kRequestId)}};
    }
    Json built = Json::object();
    for (const ServiceInfo* service : services()) {
        Json& names = built[std::string(service->name)] = Json::array();
        for (const OperationInfo& operation : service->operations) {
            if (operation.built()) {
                names.push_back(std::string(operation.name));
            }
        }
    }
    return built;
}

}  // namespace
}  // namespace kiln::api

int main() {
    for (std::string line; std::getline(std::cin, line);) {
        try {
            std::cout << kiln::api::run(nlohmann::ordered_json::parse(line)).dump() << std::endl;
        } catch (const std::exception& e) {
            std::cout << nlohmann::ordered_json{{"failed", e.what()}}.dump() << std::endl;
        }
    }
    return 0;
}
