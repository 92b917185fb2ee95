// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4: both sides of it, as pure functions over a view of a request. No clock,
// no key store, no I/O.
//
// Server:  parse_authorization() tells who claims to have signed, for which region and service; the
// caller finds the
//          secret of that access key (unknown key: InvalidClientTokenId is the caller's), hashes
//          the body unless `unsigned_payload`, and calls verify().
// Client:  sign() adds X-Amz-Date, X-Amz-Security-Token and Authorization to the headers.
//
// Errors carry EC2's codes: MissingAuthenticationToken, IncompleteSignature, SignatureDoesNotMatch,
// RequestExpired. A request with a bad signature never learns what the right one would be.
//
// Service "s3" encodes the path once and as it is; all others normalise it ("/a/../b" is "/b") and
// encode it twice. Thread model: pure functions, plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/headers.h"
#include "util/result.h"
#include "util/time.h"

namespace kiln::net {

inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

// What is signed of a request. `path` and `query` are as they stand in the request line, still
// encoded, without the '?'.
struct SigningRequest {
    std::string_view method;
    std::string_view path;
    std::string_view query;
    const Headers& headers;
};

struct CredentialScope {
    std::string date;  // "20250830"
    std::string region;
    std::string service;
    std::string to_string() const;  // "20250830/us-east-1/ec2/aws4_request"
};

struct AwsCredentials {
    std::string access_key_id;
    std::string secret_access_key;
    std::string session_token;  // empty: a long-lived key
};

// --- server ---

enum class AuthorizationForm { header, query };

struct Authorization {
    AuthorizationForm form = AuthorizationForm::header;
    std::string access_key_id;
    CredentialScope scope;
    std::vector<std::string> signed_headers;  // lower case, in the order given
    std::string signature;                    // 64 hexadecimal digits
    std::string amz_date;                     // as sent
    UnixMillis time;                          // the same, parsed
    std::optional<std::uint32_t> expires_s;   // presigned requests only
    std::string security_token;               // empty when none was sent
    // The client signed "UNSIGNED-PAYLOAD" in place of the body's hash: header x-amz-content-sha256
    // says so, or it is a presigned S3 request. Then verify() takes kUnsignedPayload, else the
    // SHA-256 of the body in hexadecimal.
    bool unsigned_payload = false;
    // The hash the client declared in x-amz-content-sha256, for bodies that are streamed: verify()
    // with it first, compare with the real one at the end. Empty when none was sent.
    std::string declared_payload_hash;
};

Result<Authorization> parse_authorization(const SigningRequest& request);

// `payload_hash`: lower-case hexadecimal SHA-256 of the body, or kUnsignedPayload if
// `unsigned_payload`.
Status verify(const Authorization& authorization, std::string_view secret_access_key,
              const SigningRequest& request, std::string_view payload_hash, UnixMillis now);

// --- client ---

// Signs every header present, except those that proxies change. Needs a Host header. Adds
// x-amz-content-sha256 only where it is needed: for S3, and for an unsigned payload.
void sign(const AwsCredentials& credentials, std::string_view region, std::string_view service,
          UnixMillis now, std::string_view method, std::string_view path, std::string_view query,
          std::string_view payload_hash, Headers& headers);

// --- the steps, as published; for tests and for diagnosis ---

std::string canonical_path(std::string_view path, std::string_view service);
// Sorted and encoded anew, without X-Amz-Signature.
std::string canonical_query(std::string_view query);
// SignatureDoesNotMatch when a signed header is absent.
Result<std::string> canonical_request(const SigningRequest& request,
                                      const std::vector<std::string>& signed_headers,
                                      std::string_view payload_hash, std::string_view service);
std::string string_to_sign(std::string_view canonical_request, std::string_view amz_date,
                           const CredentialScope& scope);
// Lower-case hexadecimal.
std::string compute_signature(std::string_view secret_access_key, const CredentialScope& scope,
                              std::string_view string_to_sign);

}  // namespace kiln::net
