// SPDX-License-Identifier: Apache-2.0
#include "api/door.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/access.h"
#include "api/codec/errors.h"
#include "api/codec/json_codec.h"
#include "api/codec/xml_writer.h"
#include "api/generated/operations.h"
#include "api/kiln/client_address.h"
#include "api/service_words.h"
#include "api/unbuilt_services.h"
#include "crypto/hash.h"
#include "util/encoding.h"
#include "util/log.h"
#include "util/strings.h"

namespace kiln::api {
namespace {

constexpr std::chrono::seconds kBodyTime{60};
constexpr std::string_view kKilnService = "kiln";
// A block of 512 KiB, which is the most that is sent, and room for one that is too long to say so.
constexpr std::size_t kMaxRestBytes = 1U << 20;

const ServiceInfo* find_service(std::string_view name) {
    for (const ServiceInfo* service : services()) {
        if (service->name == name) {
            return service;
        }
    }
    return nullptr;
}

net::SigningRequest signing_of(const net::HttpRequest& request) {
    return {request.method, request.path, request.query, request.headers};
}

// In whose form to refuse a request that has not proven anything. The scope may be unreadable: then
// in that of EC2, which most clients here speak.
ServiceInfo claimed_service(const net::SigningRequest& signing) {
    const auto authorization = net::parse_authorization(signing);
    if (!authorization) {
        return kEc2Service;
    }
    const ServiceInfo* service = find_service(authorization->scope.service);
    return service != nullptr ? *service : unbuilt_service(signing, authorization->scope.service);
}

// Parameters that do not change what is asked for.
bool outside_hash(std::string_view name) {
    return name == "ClientToken" || name == "DryRun" || name == "NextToken" ||
           name == "MaxResults" || name.starts_with("X-Amz-") || name == "Version";
}

std::string request_hash(const QueryParams& params) {
    crypto::Sha256 hash;
    for (const QueryParam& param : params.all()) {
        if (!outside_hash(param.name)) {
            hash.update(
                as_bytes(percent_encode(param.name) + '=' + percent_encode(param.value) + '&'));
        }
    }
    return hex_encode(hash.finish());
}

void send(net::ResponseWriter& response, int status, std::string_view type,
          const std::string& request_id, std::string_view body) {
    response.set_status(status);
    response.headers().set("Content-Type", type);
    response.headers().set("x-amzn-requestid", request_id);  // WIRE-7
    const Status sent = response.send(as_bytes(body), Deadline::after(kBodyTime));
    if (!sent) {
        log_debug("api", "an answer was not delivered: " + sent.error().to_string());
    }
}

std::string_view content_type(const ServiceInfo& service) {
    return service.protocol == Protocol::json ? kJsonContentType : kXmlContentType;
}

void send(net::ResponseWriter& response, const std::string& request_id, const RestAnswer& answer) {
    for (const auto& [name, value] : answer.headers) {
        response.headers().set(name, value);
    }
    send(response, answer.status, answer.content_type, request_id, as_text(answer.body));
}

// The code a client sees, as it stands in the log and in the metrics.
std::string code_of(const ServiceInfo& service, const Error& error) {
    return service.protocol == Protocol::rest_json ? to_rest_error(error).code
                                                   : to_wire(error).code;
}

void send_error(net::ResponseWriter& response, const ServiceInfo& service, const Error& error,
                const std::string& request_id) {
    const WireError wire = to_wire(error);
    if (wire.http_status >= 500) {
        log_error("api", request_id + " " + error.to_string());
    }
    if (service.protocol == Protocol::rest_json) {
        send(response, request_id, write_rest_error(to_rest_error(error)));
        return;
    }
    send(response, wire.http_status, content_type(service), request_id,
         service.protocol == Protocol::json ? write_json_error(wire)
                                            : write_error(service, wire, request_id));
}

// An unsigned body, and what is said of it.
Status check_unsigned(const OperationInfo& operation, const net::Authorization& authorization,
                      const net::Headers& headers) {
    const auto is_signed = [&](const MemberInfo& member) {
        const auto& names = authorization.signed_headers;
        return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
            return name == to_lower(member.query_name);
        });
    };
    const auto& members = operation.request->members;
    const bool whole = std::all_of(members.begin(), members.end(), [&](const MemberInfo& member) {
        return member.location != Location::header || !headers.has(member.query_name) ||
               is_signed(member);
    });
    if (payload_of(operation) == nullptr || !whole) {
        return Error::api(Code::unauthenticated, "SignatureDoesNotMatch",
                          "The request's body, or what its headers say of it, must be signed.");
    }
    return ok();
}

void set_account(const model::Account& account, control::Caller& caller) {
    caller.account = account.id;
    if (account.membership) {
        caller.organizations = model::arns_of(*account.membership);
    }
}

}  // namespace

std::string Door::new_request_id() {
    std::array<std::uint8_t, 16> random{};
    rng_.fill(random);
    random[6] = static_cast<std::uint8_t>((random[6] & 0x0F) | 0x40);
    random[8] = static_cast<std::uint8_t>((random[8] & 0x3F) | 0x80);
    const std::string hex = hex_encode(random);
    return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4),
                       hex.substr(16, 4), hex.substr(20));
}

// Puts into `caller` whose key was used; its secret.
Result<std::string> Door::find_caller(const net::Authorization& authorization,
                                      control::Caller& caller) {
    if (!authorization.security_token.empty()) {
        TRY_ASSIGN(const auto owner, services_.sessions.find(authorization.access_key_id,
                                                             authorization.security_token));
        set_account(owner.account, caller);
        caller.identity = owner.identity;  // never an administrator
        return owner.secret;
    }
    TRY_ASSIGN(const auto owner, services_.accounts.find_key(authorization.access_key_id));
    if (!owner) {
        return Error::api(Code::unauthenticated, "InvalidClientTokenId",
                          "The security token included in the request is invalid.");
    }
    set_account(owner->account, caller);
    caller.identity = owner->identity;
    caller.administrator = owner->account.administrator && !owner->identity;
    return owner->key.secret;
}

// A guest's requests come over a socket of its host: they have no address that means anything.
control::Arrival Door::arrival_of(const net::HttpRequest& request, std::string_view service) {
    control::Arrival arrival;
    arrival.time = clock_.now();
    arrival.address = request.listener.empty() ? client_address(request.peer).address : "";
    arrival.tls = request.tls;
    arrival.messages = service == kEc2Service.name ? &services_.authorization_messages : nullptr;
    return arrival;
}

// Who claims to ask, and the secret to check the claim with. The signature itself is checked with
// the body's hash.
Result<Door::Visit> Door::authenticate(const net::HttpRequest& request,
                                       const std::string& request_id, std::string& secret) {
    TRY_ASSIGN(net::Authorization authorization, net::parse_authorization(signing_of(request)));
    if (authorization.scope.service != kIamService.name &&
        services_.topology.find_enabled(authorization.scope.region) == nullptr) {
        return unknown_region(authorization.scope.region, authorization.scope.service);
    }
    Visit visit{request, std::move(authorization), {}};
    TRY_ASSIGN(secret, find_caller(visit.authorization, visit.context.caller));
    visit.context.caller.region = visit.authorization.scope.region;
    visit.context.caller.request_id = request_id;
    visit.context.caller.arrival = arrival_of(request, visit.authorization.scope.service);
    visit.context.access_key_id = visit.authorization.access_key_id;
    return visit;
}

Result<RestAnswer> Door::answer(const ServiceInfo& service, Visit& visit, const std::string& secret,
                                net::BodyReader& body) {
    if (service.protocol == Protocol::rest_json) {
        return answer_rest(service, visit, secret, body);
    }
    TRY_ASSIGN(const Bytes bytes, body.read_all(kMaxQueryBytes, Deadline::after(kBodyTime)));
    const net::SigningRequest signing = signing_of(visit.http);
    // These services take no unsigned bodies: whoever signs with UNSIGNED-PAYLOAD does not match.
    TRY(net::verify(visit.authorization, secret, signing, crypto::sha256_hex(bytes), clock_.now()));
    TRY_ASSIGN(const std::string text, service.protocol == Protocol::json
                                           ? answer_json(service, visit, as_text(bytes))
                                           : answer_query(service, visit, as_text(bytes)));
    RestAnswer answer;
    answer.content_type = content_type(service);
    answer.body.assign(text.begin(), text.end());
    return answer;
}

Status Door::admit(const ServiceInfo& service, Visit& visit, std::string_view operation) {
    const OperationInfo* known = find_operation(service, operation);
    if (known != nullptr && known->built()) {
        visit.operation = known->name;
    }
    // The region of the service iam is whatever the signature says.
    const bool everywhere = service.name == kIamService.name;
    const control::Caller& caller = visit.context.caller;
    return throttle_.admit(caller.account.str(), everywhere ? std::string() : caller.region,
                           request_class(service.name, visit.operation));
}

Status Door::allow(const Visit& visit, const OperationInfo& operation, const void* request) {
    return check_access(services_.resource_lookup, visit.context.caller, operation, request);
}

Result<std::string> Door::answer_query(const ServiceInfo& service, Visit& visit,
                                       std::string_view body) {
    const auto params = QueryParams::parse(visit.http.query, body);
    TRY(admit(service, visit, params ? params->action() : std::string_view()));
    if (visit.http.method != "POST" && visit.http.method != "GET") {  // WIRE-1
        return Error::api(Code::invalid_argument, "InvalidParameterValue",
                          "Use the methods POST or GET.");
    }
    TRY(params);
    TRY_ASSIGN(const Registry::Entry* entry, registry_.find(service, params->action()));
    TRY(check_version(service, params->version()));
    visit.operation = entry->info().name;
    visit.context.request_hash = request_hash(*params);
    return entry->run(visit.context, *params, visit.context.caller.request_id,
                      [&](const void* request) { return allow(visit, entry->info(), request); });
}

// WIRE-11.
Result<std::string> Door::answer_json(const ServiceInfo& service, Visit& visit,
                                      std::string_view body) {
    std::string_view target = visit.http.headers.get("X-Amz-Target").value_or("");
    const bool names_one = visit.http.method == "POST" && target.starts_with(service.target_prefix);
    TRY(admit(service, visit,
              names_one ? target.substr(service.target_prefix.size()) : std::string_view()));
    if (!names_one) {
        return Error::api(Code::invalid_argument, "UnknownOperationException",
                          fmt::format("Name the operation by POST and the header X-Amz-Target: {}"
                                      "Operation.",
                                      service.target_prefix));
    }
    target.remove_prefix(service.target_prefix.size());
    TRY_ASSIGN(const Registry::Entry* entry, registry_.find(service, target));
    visit.operation = entry->info().name;
    return entry->run_json(visit.context, body, [&](const void* decoded) {
        return allow(visit, entry->info(), decoded);
    });
}

// ED-1. A body that is bytes may be left out of the signature (ED-6); then every header that says
// something of it must be in it.
Result<RestAnswer> Door::answer_rest(const ServiceInfo& service, Visit& visit,
                                     const std::string& secret, net::BodyReader& body) {
    const net::HttpRequest& http = visit.http;
    auto bytes = body.read_all(kMaxRestBytes, Deadline::after(kBodyTime));
    if (!bytes && bytes.error().code() == Code::resource_exhausted) {
        return Error::api(Code::invalid_argument, "ValidationException",
                          "The body is longer than any request's.");
    }
    TRY(bytes);
    const net::SigningRequest signing = signing_of(http);
    const bool is_unsigned = visit.authorization.unsigned_payload;
    TRY(net::verify(visit.authorization, secret, signing,
                    is_unsigned ? std::string(net::kUnsignedPayload) : crypto::sha256_hex(*bytes),
                    clock_.now()));
    const auto route = find_route(service, http.method, http.path);
    TRY(admit(service, visit, route ? route->operation->name : std::string_view()));
    TRY(route);
    TRY_ASSIGN(const Registry::Entry* entry, registry_.find(service, route->operation->name));
    visit.operation = entry->info().name;
    if (is_unsigned) {
        TRY(check_unsigned(entry->info(), visit.authorization, http.headers));
    }
    const RestRequest request{
        http.query, [&](std::string_view name) { return http.headers.get(name); }, *bytes};
    return entry->run_rest(visit.context, *route, request, [&](const void* decoded) {
        return allow(visit, entry->info(), decoded);
    });
}

void Door::serve(const ServiceInfo& service, Visit& visit, const std::string& secret,
                 net::BodyReader& body, net::ResponseWriter& response) {
    const std::string& request_id = visit.context.caller.request_id;
    const auto begin = clock_.monotonic();
    auto answered = answer(service, visit, secret, body);
    std::string code = "OK";
    if (answered) {
        send(response, request_id, *answered);
    } else {
        const Error error = as_service_says(std::move(answered).error(), service);
        code = code_of(service, error);
        send_error(response, service, error, request_id);
    }
    note(service, visit, code, clock_.monotonic() - begin);
}

void Door::note(const ServiceInfo& service, const Visit& visit, std::string_view code,
                std::chrono::nanoseconds time) {
    metrics_.count(service.name, visit.operation, code, time);
    const bool frequent = visit.operation.starts_with("Describe") ||
                          visit.operation.starts_with("Get") ||
                          visit.operation == "PutSnapshotBlock";
    // A client that runs away is counted, and does not fill the log.
    const bool quiet = (code == "OK" && frequent) || is_throttled(code);
    log_message(quiet ? LogLevel::debug : LogLevel::info, "api",
                fmt::format("{} {} {} account={} region={} code={} ms={}{}",
                            visit.context.caller.request_id, service.name,
                            visit.operation.empty() ? "-" : visit.operation,
                            visit.context.caller.account.str(), visit.context.caller.region, code,
                            time / std::chrono::milliseconds(1),
                            visit.http.listener.empty() ? "" : " guest=" + visit.http.listener));
}

void Door::handle(const net::HttpRequest& request, net::BodyReader& body,
                  net::ResponseWriter& response) {
    const std::string request_id = new_request_id();
    std::string secret;
    auto visit = authenticate(request, request_id, secret);
    const bool to_kiln = request.path.starts_with(KilnApi::kPrefix);
    if (!visit) {
        if (to_kiln) {
            kiln_.refuse(visit.error(), request_id, response);
        } else {
            const ServiceInfo service = claimed_service(signing_of(request));
            const Error error = as_service_says(std::move(visit).error(), service);
            metrics_.count(service.name, "", code_of(service, error), std::chrono::nanoseconds(0));
            send_error(response, service, error, request_id);
        }
        return;
    }
    const std::string& service_name = visit->authorization.scope.service;
    if (service_name == kKilnService && to_kiln) {
        if (visit->context.caller.identity) {  // IAM-14
            kiln_.refuse(
                Error::api(
                    Code::permission_denied, "AccessDenied",
                    "Kiln's own calls take the keys of an account, not a user's or a role's."),
                request_id, response);
            return;
        }
        kiln_.serve(request, visit->authorization, visit->context, secret, body, response);
        return;
    }
    const ServiceInfo* service = find_service(service_name);
    if (service == nullptr || to_kiln) {
        const ServiceInfo form =
            to_kiln ? kEc2Service : unbuilt_service(signing_of(request), service_name);
        send_error(response, form, refuse_service(service_name), request_id);
        return;
    }
    serve(*service, *visit, secret, body, response);
}

net::CannedResponse Door::overloaded(const net::HttpRequest&) {
    net::CannedResponse canned;
    canned.status = 503;
    canned.headers.set("Content-Type", kXmlContentType);
    canned.body = write_error(kEc2Service, {"RequestLimitExceeded", "Request limit exceeded.", 503},
                              "overload");
    return canned;
}

}  // namespace kiln::api
