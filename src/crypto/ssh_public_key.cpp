// SPDX-License-Identifier: Apache-2.0
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "crypto/detail/openssl_key.h"
#include "crypto/detail/ssh_wire.h"
#include "crypto/hash.h"
#include "crypto/ssh_key.h"
#include "util/check.h"
#include "util/encoding.h"
#include "util/strings.h"

namespace kiln::crypto {

namespace {

constexpr std::string_view kRsaName = "ssh-rsa";
constexpr std::string_view kEd25519Name = "ssh-ed25519";
constexpr std::size_t kEd25519Bytes = 32;

struct BignumDeleter {
    void operator()(BIGNUM* number) const { BN_free(number); }
};
using Bignum = std::unique_ptr<BIGNUM, BignumDeleter>;

struct OpensslFree {
    void operator()(void* memory) const { OPENSSL_free(memory); }
};

Error refused(const char* why) {
    return Error(Code::invalid_argument, std::string("not a usable SSH public key: ") + why);
}

unsigned bit_count(ByteView magnitude) {
    unsigned bits = static_cast<unsigned>(magnitude.size()) * 8;
    for (unsigned mask = 0x80; mask != 0 && !magnitude.empty() && (magnitude[0] & mask) == 0;
         mask >>= 1U) {
        --bits;
    }
    return bits;
}

Result<SshPublicKey> make_rsa(ByteView exponent, ByteView modulus) {
    const unsigned bits = bit_count(modulus);
    if (bits < kMinRsaBits || bits > kMaxRsaBits) {
        return refused("RSA keys have 1024 to 8192 bits");
    }
    // Even ones are no RSA numbers; a longer exponent than 64 bits is nobody's key.
    if ((modulus.back() & 1U) == 0 || exponent.size() > 8 || (exponent.back() & 1U) == 0 ||
        bit_count(exponent) < 2) {
        return refused("the RSA numbers are not valid");
    }
    detail::SshWriter blob;
    blob.string(kRsaName).mpint(exponent).mpint(modulus);
    return SshPublicKey{SshKeyType::rsa, bits, blob.take()};
}

SshPublicKey make_ed25519(ByteView point) {
    detail::SshWriter blob;
    blob.string(kEd25519Name).string(point);
    return SshPublicKey{SshKeyType::ed25519, 256, blob.take()};
}

Result<SshPublicKey> from_blob(ByteView blob) {
    detail::SshReader reader(blob);
    const auto name = reader.string();
    if (name && as_text(*name) == kEd25519Name) {
        const auto point = reader.string();
        if (!point || point->size() != kEd25519Bytes || !reader.at_end()) {
            return refused("the Ed25519 key is malformed");
        }
        return make_ed25519(*point);
    }
    if (!name || as_text(*name) != kRsaName) {
        return refused("the algorithm is neither ssh-rsa nor ssh-ed25519");
    }
    const auto exponent = reader.mpint();
    const auto modulus = exponent ? reader.mpint() : std::nullopt;
    if (!modulus || !reader.at_end()) {
        return refused("the RSA key is malformed");
    }
    return make_rsa(*exponent, *modulus);
}

Result<SshPublicKey> from_der(ByteView der) {
    const std::uint8_t* at = der.data();
    const detail::Pkey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
    ERR_clear_error();
    if (!key || at != der.data() + der.size()) {
        return refused("it is no DER SubjectPublicKeyInfo");
    }
    return detail::ssh_public_of(*key);
}

// What stands between the two marker lines, as one Base64 text; header lines (RFC 4716, 3.3) go.
Result<Bytes> armored(std::string_view text, std::string_view begin, std::string_view end) {
    std::string body;
    bool inside = false;
    bool header = false;  // the next line continues a header
    for (std::string_view line : split(text, '\n')) {
        line = trim(line);
        if (!inside) {
            inside = line == begin;
            if (!inside && !line.empty()) {
                break;
            }
            continue;
        }
        if (line == end) {
            return base64_decode(body);
        }
        if (header || line.find(':') != line.npos) {
            header = line.ends_with('\\');
            continue;
        }
        body += line;
    }
    return refused("a marker line is missing");
}

// "algorithm base64 [comment]"
Result<SshPublicKey> from_line(std::string_view text) {
    const std::size_t name_end = text.find_first_of(" \t");
    std::string_view rest = trim(text.substr(name_end));
    const std::string_view encoded = rest.substr(0, rest.find_first_of(" \t\r\n"));
    if (rest.find('\n') != rest.npos) {
        return refused("there is more than one line");
    }
    TRY_ASSIGN(const Bytes blob, base64_decode(encoded));
    TRY_ASSIGN(SshPublicKey key, from_blob(blob));
    const std::string_view name = key.type == SshKeyType::rsa ? kRsaName : kEd25519Name;
    if (text.substr(0, name_end) != name) {
        return refused("the line names another algorithm than the key");
    }
    return key;
}

detail::Pkey to_pkey(const SshPublicKey& key) {
    detail::SshReader reader(key.blob);
    INVARIANT(reader.string().has_value());
    if (key.type == SshKeyType::ed25519) {
        const ByteView point = reader.string().value();
        return detail::Pkey(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr,
                                                           point.data(), point.size()));
    }
    const ByteView exponent = reader.mpint().value();
    const ByteView modulus = reader.mpint().value();
    const Bignum e(BN_bin2bn(exponent.data(), static_cast<int>(exponent.size()), nullptr));
    const Bignum n(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
    OSSL_PARAM_BLD* const builder = OSSL_PARAM_BLD_new();
    INVARIANT(builder != nullptr && e && n);
    INVARIANT(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e.get()) == 1);
    INVARIANT(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n.get()) == 1);
    OSSL_PARAM* const parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX* const context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr);
    EVP_PKEY* made = nullptr;
    INVARIANT(context != nullptr && parameters != nullptr);
    INVARIANT(EVP_PKEY_fromdata_init(context) == 1);
    INVARIANT(EVP_PKEY_fromdata(context, &made, EVP_PKEY_PUBLIC_KEY, parameters) == 1);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    return detail::Pkey(made);
}

}  // namespace

namespace detail {

void PkeyDeleter::operator()(evp_pkey_st* key) const {
    EVP_PKEY_free(key);
}

Bytes rsa_number(const evp_pkey_st& key, const char* name) {
    BIGNUM* raw = nullptr;
    INVARIANT(EVP_PKEY_get_bn_param(&key, name, &raw) == 1);
    const Bignum number(raw);
    Bytes bytes(static_cast<std::size_t>(BN_num_bytes(raw)));
    BN_bn2bin(raw, bytes.data());
    BN_clear(raw);  // it may be a secret one
    return bytes;
}

Bytes ed25519_public(const evp_pkey_st& key) {
    Bytes point(kEd25519Bytes);
    std::size_t size = point.size();
    INVARIANT(EVP_PKEY_get_raw_public_key(&key, point.data(), &size) == 1 && size == kEd25519Bytes);
    return point;
}

Result<SshPublicKey> ssh_public_of(const evp_pkey_st& key) {
    if (EVP_PKEY_is_a(&key, "ED25519") == 1) {
        return make_ed25519(ed25519_public(key));
    }
    if (EVP_PKEY_is_a(&key, "RSA") != 1) {
        return refused("the algorithm is neither RSA nor Ed25519");
    }
    const Bytes exponent = rsa_number(key, OSSL_PKEY_PARAM_RSA_E);
    const Bytes modulus = rsa_number(key, OSSL_PKEY_PARAM_RSA_N);
    if (exponent.empty() || modulus.empty()) {
        return refused("the RSA numbers are not valid");
    }
    return make_rsa(exponent, modulus);
}

}  // namespace detail

Result<SshPublicKey> parse_ssh_public_key(std::string_view text) {
    if (text.size() > kMaxPublicKeyText) {
        return refused("it is too long");
    }
    text = trim(text);
    if (text.starts_with("---- BEGIN SSH2")) {
        TRY_ASSIGN(const Bytes blob, armored(text, "---- BEGIN SSH2 PUBLIC KEY ----",
                                             "---- END SSH2 PUBLIC KEY ----"));
        return from_blob(blob);
    }
    if (text.starts_with("-----BEGIN")) {
        TRY_ASSIGN(const Bytes der,
                   armored(text, "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"));
        return from_der(der);
    }
    if (text.find_first_of(" \t") != text.npos) {
        return from_line(text);
    }
    TRY_ASSIGN(const Bytes der, base64_decode(text));
    return from_der(der);
}

std::string openssh_line(const SshPublicKey& key) {
    const std::string_view name = key.type == SshKeyType::rsa ? kRsaName : kEd25519Name;
    return std::string(name) + " " + base64_encode(key.blob);
}

std::string sha256_fingerprint(const SshPublicKey& key) {
    return base64_encode(sha256(key.blob));
}

std::string md5_der_fingerprint(const SshPublicKey& key) {
    const detail::Pkey pkey = to_pkey(key);
    INVARIANT(pkey != nullptr);
    unsigned char* raw = nullptr;
    const int size = i2d_PUBKEY(pkey.get(), &raw);
    const std::unique_ptr<unsigned char, OpensslFree> der(raw);
    INVARIANT(size > 0);
    std::uint8_t digest[EVP_MAX_MD_SIZE];
    std::size_t digest_size = 0;
    INVARIANT(EVP_Q_digest(nullptr, "MD5", nullptr, raw, static_cast<std::size_t>(size), digest,
                           &digest_size) == 1);
    return detail::colon_hex(ByteView(digest, digest_size));
}

}  // namespace kiln::crypto
