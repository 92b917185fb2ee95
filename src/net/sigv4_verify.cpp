// SPDX-License-Identifier: Apache-2.0
// The server's half of Signature Version 4: reading what the client claims, and checking it.
#include <algorithm>
#include <map>
#include <set>

#include "crypto/hash.h"
#include "net/limits.h"
#include "net/sigv4.h"
#include "util/encoding.h"
#include "util/strings.h"

namespace kiln::net {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

Error incomplete(std::string message) {
    return Error::api(Code::unauthenticated, "IncompleteSignature", std::move(message));
}
Error mismatch(std::string message) {
    return Error::api(Code::unauthenticated, "SignatureDoesNotMatch", std::move(message));
}
Error expired(std::string message) {
    return Error::api(Code::unauthenticated, "RequestExpired", std::move(message));
}

using Parameters = std::map<std::string, std::string, std::less<>>;

// The X-Amz-* parameters of a query, decoded.
Result<Parameters> amz_parameters(std::string_view query) {
    Parameters found;
    for (const std::string_view part : split(query, '&')) {
        if (!part.starts_with("X-Amz-")) {
            continue;
        }
        const std::size_t equals = part.find('=');
        std::string name(part.substr(0, equals));
        const Result<std::string> value = percent_decode(
            equals == part.npos ? std::string_view() : part.substr(equals + 1), true);
        if (!value) {
            return incomplete("The query parameter '" + name + "' is malformed.");
        }
        if (!found.emplace(name, *value).second) {
            return incomplete("The query parameter '" + name + "' occurs more than once.");
        }
    }
    return found;
}

// "Credential=a, SignedHeaders=b,Signature=c" behind the algorithm's name.
Result<Parameters> header_parameters(std::string_view text) {
    Parameters found;
    for (const std::string_view piece : split(text, ',')) {
        const std::string_view part = trim(piece);
        const std::size_t equals = part.find('=');
        if (equals == part.npos) {
            return incomplete(
                "'" + std::string(part) +
                "' not a valid key=value pair (missing equal-sign) in Authorization header.");
        }
        if (!found.emplace(part.substr(0, equals), part.substr(equals + 1)).second) {
            return incomplete("The Authorization header names a parameter more than once.");
        }
    }
    return found;
}

Status parse_credential(std::string_view text, Authorization& out) {
    const std::vector<std::string_view> parts = split(text, '/');
    if (parts.size() != 5 || std::find(parts.begin(), parts.end(), "") != parts.end()) {
        return incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            "keyid/date/region/service/term, got '" +
            std::string(text) + "'.");
    }
    if (parts[4] != "aws4_request") {
        return incomplete(
            "Credential should be scoped with a valid terminator: 'aws4_request', not '" +
            std::string(parts[4]) + "'.");
    }
    out.access_key_id = parts[0];
    out.scope = {std::string(parts[1]), std::string(parts[2]), std::string(parts[3])};
    return ok();
}

Status parse_signed_headers(std::string_view text, Authorization& out) {
    for (const std::string_view name : split(text, ';')) {
        if (name.empty() || name != to_lower(name)) {
            return incomplete("SignedHeaders must be lower-case names, separated by ';'.");
        }
        out.signed_headers.emplace_back(name);
    }
    if (out.signed_headers.size() > kMaxSignedHeaders) {
        return incomplete("Too many signed headers.");
    }
    return ok();
}

Status parse_date(std::string_view text, Authorization& out) {
    const Result<UnixMillis> time = parse_basic(text);
    if (!time) {
        return incomplete("Date must be in ISO-8601 'basic format'. Got '" + std::string(text) +
                          "'. See http://en.wikipedia.org/wiki/ISO_8601");
    }
    out.amz_date = text;
    out.time = *time;
    return ok();
}

// All of `names` at once in the message, as the real service does it.
Status require(const Parameters& parameters, std::initializer_list<std::string_view> names,
               std::string_view where) {
    std::string missing;
    for (const std::string_view name : names) {
        const auto at = parameters.find(name);
        if (at == parameters.end() || at->second.empty()) {
            missing.append(missing.empty() ? "" : " ")
                .append(where)
                .append(" requires '")
                .append(name);
            missing.append("' parameter.");
        }
    }
    return missing.empty() ? ok() : Status(incomplete(missing));
}

Result<Authorization> parse_header_form(const SigningRequest& request, std::string_view value) {
    if (!value.starts_with(kAlgorithm) || value.size() == kAlgorithm.size() ||
        value[kAlgorithm.size()] != ' ') {
        return incomplete("Authorization header must use the algorithm AWS4-HMAC-SHA256.");
    }
    TRY_ASSIGN(const Parameters parameters, header_parameters(value.substr(kAlgorithm.size())));
    TRY(require(parameters, {"Credential", "Signature", "SignedHeaders"}, "Authorization header"));
    Authorization out;
    out.form = AuthorizationForm::header;
    TRY(parse_credential(parameters.at("Credential"), out));
    TRY(parse_signed_headers(parameters.at("SignedHeaders"), out));
    out.signature = parameters.at("Signature");
    if (request.headers.count("X-Amz-Date") != 1) {
        return incomplete(
            "Authorization header requires existence of exactly one 'X-Amz-Date' header.");
    }
    TRY(parse_date(*request.headers.get("X-Amz-Date"), out));
    out.security_token = request.headers.get("X-Amz-Security-Token").value_or("");
    return out;
}

Result<Authorization> parse_query_form(const Parameters& parameters) {
    TRY(require(parameters,
                {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders",
                 "X-Amz-Date"},
                "AWS query-string authentication"));
    if (parameters.at("X-Amz-Algorithm") != kAlgorithm) {
        return incomplete("X-Amz-Algorithm must be AWS4-HMAC-SHA256.");
    }
    Authorization out;
    out.form = AuthorizationForm::query;
    TRY(parse_credential(parameters.at("X-Amz-Credential"), out));
    TRY(parse_signed_headers(parameters.at("X-Amz-SignedHeaders"), out));
    out.signature = parameters.at("X-Amz-Signature");
    TRY(parse_date(parameters.at("X-Amz-Date"), out));
    if (const auto expires = parameters.find("X-Amz-Expires"); expires != parameters.end()) {
        out.expires_s = parse_int<std::uint32_t>(expires->second);
        if (!out.expires_s || *out.expires_s == 0 || *out.expires_s > kMaxPresignSeconds) {
            return incomplete("X-Amz-Expires must be a number from 1 to 604800.");
        }
    }
    if (const auto token = parameters.find("X-Amz-Security-Token"); token != parameters.end()) {
        out.security_token = token->second;
    }
    return out;
}

bool is_sha256_hex(std::string_view text) {
    return text.size() == 2 * crypto::kSha256Bytes && text == to_lower(text) &&
           hex_decode(text).has_value();
}

Status parse_payload(const SigningRequest& request, Authorization& out) {
    const std::vector<std::string_view> declared = request.headers.all("X-Amz-Content-Sha256");
    if (declared.empty()) {
        out.unsigned_payload = out.form == AuthorizationForm::query && out.scope.service == "s3";
        return ok();
    }
    out.unsigned_payload = declared.size() == 1 && declared[0] == kUnsignedPayload;
    if (!out.unsigned_payload) {
        if (declared.size() != 1 || !is_sha256_hex(declared[0])) {
            return incomplete(
                "x-amz-content-sha256 must be the lower-case hexadecimal SHA-256 of the body, or "
                "UNSIGNED-PAYLOAD.");
        }
        out.declared_payload_hash = declared[0];
    }
    return ok();
}

// The host, the date and every x-amz- header must be signed: else someone in between could change
// their meaning.
Status check_signed_headers(const Authorization& authorization, const SigningRequest& request) {
    const std::set<std::string_view> names(authorization.signed_headers.begin(),
                                           authorization.signed_headers.end());
    if (!names.contains("host")) {
        return mismatch("'Host' must be a 'SignedHeader' in the AWS Authorization.");
    }
    for (const Header& header : request.headers) {
        const std::string name = to_lower(header.name);
        if (name.starts_with("x-amz-") && !names.contains(name)) {
            return mismatch("'" + header.name +
                            "' must be a 'SignedHeader' in the AWS Authorization.");
        }
    }
    return ok();
}

Status check_time(const Authorization& authorization, UnixMillis now) {
    if (authorization.amz_date.substr(0, 8) != authorization.scope.date) {
        return mismatch(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
            "HTTP.");
    }
    const std::int64_t age_ms = now.value - authorization.time.value;
    if (age_ms < -kMaxClockSkewMs) {
        return expired("Request is dated in the future; check the clock of the client.");
    }
    const std::int64_t allowed_ms =
        authorization.expires_s ? std::int64_t{*authorization.expires_s} * 1000 : kMaxClockSkewMs;
    if (age_ms > allowed_ms) {
        return expired("Request has expired.");
    }
    return ok();
}

}  // namespace

Result<Authorization> parse_authorization(const SigningRequest& request) {
    const std::vector<std::string_view> values = request.headers.all("Authorization");
    TRY_ASSIGN(const Parameters parameters, amz_parameters(request.query));
    const bool in_query = parameters.contains("X-Amz-Algorithm") ||
                          parameters.contains("X-Amz-Signature") ||
                          parameters.contains("X-Amz-Credential");
    if (values.empty() && !in_query) {
        return Error::api(Code::unauthenticated, "MissingAuthenticationToken",
                          "Request is missing Authentication Token");
    }
    if (values.size() + (in_query ? 1 : 0) > 1) {
        return incomplete(
            "Only one authorization is allowed: one Authorization header or the query string.");
    }
    TRY_ASSIGN(Authorization out, in_query ? parse_query_form(parameters)
                                           : parse_header_form(request, values.front()));
    TRY(parse_payload(request, out));
    return out;
}

Status verify(const Authorization& authorization, std::string_view secret_access_key,
              const SigningRequest& request, std::string_view payload_hash, UnixMillis now) {
    TRY(check_signed_headers(authorization, request));
    TRY(check_time(authorization, now));
    TRY_ASSIGN(const std::string canonical,
               canonical_request(request, authorization.signed_headers, payload_hash,
                                 authorization.scope.service));
    const std::string expected =
        compute_signature(secret_access_key, authorization.scope,
                          string_to_sign(canonical, authorization.amz_date, authorization.scope));
    if (!crypto::constant_time_equal(as_bytes(expected), as_bytes(authorization.signature))) {
        return mismatch(
            "The request signature we calculated does not match the signature you provided. Check "
            "your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.");
    }
    return ok();
}

}  // namespace kiln::net
