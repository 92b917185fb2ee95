// SPDX-License-Identifier: Apache-2.0
#include "net/sigv4.h"

#include <set>

#include "crypto/hash.h"
#include "net/limits.h"
#include "util/encoding.h"
#include "util/strings.h"

namespace kiln::net {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

// What proxies and HTTP libraries change or add after signing; the SDKs leave the same ones out.
constexpr std::string_view kNeverSigned[] = {
    "authorization", "connection", "expect", "user-agent", "transfer-encoding", "x-amzn-trace-id"};

// "/a//./b/../c/" -> "/a/c/"
std::string normalise(std::string_view path) {
    std::vector<std::string_view> kept;
    for (const std::string_view part : split(path, '/')) {
        if (part == "..") {
            if (!kept.empty()) {
                kept.pop_back();
            }
        } else if (!part.empty() && part != ".") {
            kept.push_back(part);
        }
    }
    std::string out;
    for (const std::string_view part : kept) {
        out.append("/").append(part);
    }
    if (out.empty() || path.ends_with('/')) {
        out += '/';
    }
    return out;
}

// Encodes what stands in a URL the one way that is signed, whatever way the client chose on the
// line.
std::string encode_anew(std::string_view text, bool plus_is_space, bool keep_slash) {
    const Result<std::string> plain = percent_decode(text, plus_is_space);
    return percent_encode(plain ? std::string_view(*plain) : text, keep_slash);
}

// "  a   b " -> "a b"
std::string collapse_spaces(std::string_view value) {
    std::string out;
    for (const char c : trim(value)) {
        const bool space = c == ' ' || c == '\t';
        if (!space) {
            out += c;
        } else if (!out.ends_with(' ')) {
            out += ' ';
        }
    }
    return out;
}

std::string join_values(const std::vector<std::string_view>& values) {
    std::string out;
    for (const std::string_view value : values) {
        out.append(out.empty() ? "" : ",").append(collapse_spaces(value));
    }
    return out;
}

std::string join_names(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) {
        out.append(out.empty() ? "" : ";").append(name);
    }
    return out;
}

ByteView view(const crypto::Digest256& digest) {
    return digest;
}

}  // namespace

std::string CredentialScope::to_string() const {
    return date + "/" + region + "/" + service + "/aws4_request";
}

std::string canonical_path(std::string_view path, std::string_view service) {
    if (service == "s3") {
        return path.empty() ? "/" : encode_anew(path, false, true);
    }
    return percent_encode(normalise(path), true);
}

std::string canonical_query(std::string_view query) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const std::string_view part : split(query, '&')) {
        const std::size_t equals = part.find('=');
        std::string name = encode_anew(part.substr(0, equals), true, false);
        if (!part.empty() && name != "X-Amz-Signature") {
            pairs.emplace_back(std::move(name),
                               equals == part.npos
                                   ? std::string()
                                   : encode_anew(part.substr(equals + 1), true, false));
        }
    }
    std::sort(pairs.begin(), pairs.end());
    std::string out;
    for (const auto& [name, value] : pairs) {
        out.append(out.empty() ? "" : "&").append(name).append("=").append(value);
    }
    return out;
}

Result<std::string> canonical_request(const SigningRequest& request,
                                      const std::vector<std::string>& signed_headers,
                                      std::string_view payload_hash, std::string_view service) {
    std::string out(request.method);
    out.append("\n").append(canonical_path(request.path, service));
    out.append("\n").append(canonical_query(request.query)).append("\n");
    for (const std::string& name : signed_headers) {
        const std::vector<std::string_view> values = request.headers.all(name);
        if (values.empty()) {
            return Error::api(Code::unauthenticated, "SignatureDoesNotMatch",
                              "The signed header '" + name + "' is not in the request.");
        }
        out.append(name).append(":").append(join_values(values)).append("\n");
    }
    out.append("\n").append(join_names(signed_headers)).append("\n").append(payload_hash);
    return out;
}

std::string string_to_sign(std::string_view canonical_request, std::string_view amz_date,
                           const CredentialScope& scope) {
    std::string out(kAlgorithm);
    out.append("\n").append(amz_date).append("\n").append(scope.to_string());
    return out.append("\n").append(crypto::sha256_hex(as_bytes(canonical_request)));
}

std::string compute_signature(std::string_view secret_access_key, const CredentialScope& scope,
                              std::string_view string_to_sign) {
    const std::string seed = "AWS4" + std::string(secret_access_key);
    crypto::Digest256 key = crypto::hmac_sha256(as_bytes(seed), as_bytes(scope.date));
    key = crypto::hmac_sha256(view(key), as_bytes(scope.region));
    key = crypto::hmac_sha256(view(key), as_bytes(scope.service));
    key = crypto::hmac_sha256(view(key), as_bytes("aws4_request"));
    return hex_encode(crypto::hmac_sha256(view(key), as_bytes(string_to_sign)));
}

void sign(const AwsCredentials& credentials, std::string_view region, std::string_view service,
          UnixMillis now, std::string_view method, std::string_view path, std::string_view query,
          std::string_view payload_hash, Headers& headers) {
    const std::string amz_date = format_basic(now);
    const CredentialScope scope{amz_date.substr(0, 8), std::string(region), std::string(service)};
    headers.remove("Authorization");
    headers.set("X-Amz-Date", amz_date);
    if (!credentials.session_token.empty()) {
        headers.set("X-Amz-Security-Token", credentials.session_token);
    }
    if (service == "s3" || payload_hash == kUnsignedPayload) {
        headers.set("X-Amz-Content-Sha256", payload_hash);
    }
    std::set<std::string> names;
    for (const Header& header : headers) {
        std::string name = to_lower(header.name);
        if (std::find(std::begin(kNeverSigned), std::end(kNeverSigned), name) ==
            std::end(kNeverSigned)) {
            names.insert(std::move(name));
        }
    }
    const std::vector<std::string> signed_headers(names.begin(), names.end());
    const Result<std::string> canonical =
        canonical_request({method, path, query, headers}, signed_headers, payload_hash, service);
    const std::string signature = compute_signature(credentials.secret_access_key, scope,
                                                    string_to_sign(*canonical, amz_date, scope));
    headers.set("Authorization",
                std::string(kAlgorithm) + " Credential=" + credentials.access_key_id + "/" +
                    scope.to_string() + ", SignedHeaders=" + join_names(signed_headers) +
                    ", Signature=" + signature);
}

}  // namespace kiln::net
