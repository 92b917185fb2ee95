// SPDX-License-Identifier: Apache-2.0
// Operations and services as the model describes them. Every operation of the model has a row; one
// that is *built* also has descriptors and a generated header with its types
// (`ec2/run_instances.h`, `ops::RunInstances`). Thread model: immutable data, pure functions.
#pragma once

#include <span>
#include <string_view>

#include "api/codec/descriptor.h"
#include "util/result.h"

namespace kiln::api {

enum class Protocol { ec2, query, json, rest_json, rest_xml };

struct ServiceInfo;

// REST protocols: what a request for the operation looks like.
struct HttpBinding {
    std::string_view method{};
    std::string_view path{};  // "/snapshots/{snapshotId}/blocks"
    int status = 200;         // of success
};

struct OperationInfo {
    const ServiceInfo* service;
    std::string_view name;
    int tier;                           // 1 first, 0: not on our list
    std::string_view group;             // "image", "instance", ...
    const StructInfo* request;          // null: not built
    const StructInfo* response;         // null: not built, or nothing but success to report
    std::string_view result_wrapper{};  // query protocol: the element around the result
    HttpBinding http{};                 // REST protocols
    bool built() const { return request != nullptr; }
};

struct ServiceInfo {
    std::string_view name;  // as in the credential scope: "ec2"
    Protocol protocol;
    std::string_view api_version;
    std::string_view xml_namespace;
    std::span<const OperationInfo> operations;  // by name
    std::string_view target_prefix{};           // json protocol: "AmazonSSM."
};

// The response of an operation that reports success and nothing else.
struct Void {};

const OperationInfo* find_operation(const ServiceInfo& service, std::string_view name);
// WIRE-1: an older dated version is served by the current shapes; anything else is NoSuchVersion.
Status check_version(const ServiceInfo& service, std::string_view version);

}  // namespace kiln::api
