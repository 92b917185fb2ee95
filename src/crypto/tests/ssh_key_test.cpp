// SPDX-License-Identifier: Apache-2.0
// SSH keys in all their formats. The fixed pairs were made by ssh-keygen, their fingerprints by the
// commands that the header names.
#include "crypto/ssh_key.h"

#include <doctest/doctest.h>

#include "util/encoding.h"
#include "util/strings.h"

using namespace kiln;
using namespace kiln::crypto;

namespace {

const std::string kRsaLine =
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC+W6ru671HJ60S8l6JQo8Gn6JoFcME+WNJFrDQ4ZJw"
    "E+RNB2E4L8F/b/4bo9USxipahiqj2/Y/QkxuWxT8KlTwgSF1jpXaM5YTvfRRJrtGpzopDRWESDxUULip"
    "Zt6J0K9TyLlr9SsZnR8FOsMLD9s245AHzEYTc7KcbyrlTvKmrSw8NMHef6OzduULlH4dJXLqVirBdy+R"
    "aGxfMRiOu95zcQV91As6co+IiVg+3hWVuvqHg97vvMHdnZy8qXjW1V/z+kpViGmPjbnHYs+HzPJILk0I"
    "/ojZUW+z/SWQPAHMRsXEy5bhy+gsEWpDeDbxesbFPXkhYZLdUejhhK4c1n3D";
const std::string kRsaSsh2 =
    "---- BEGIN SSH2 PUBLIC KEY ----\n"
    "Comment: \"a comment that goes on \\\n"
    "over two lines\"\n"
    "Subject: me\n"
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQC+W6ru671HJ60S8l6JQo8Gn6JoFcME+WNJFrDQ4Z\n"
    "JwE+RNB2E4L8F/b/4bo9USxipahiqj2/Y/QkxuWxT8KlTwgSF1jpXaM5YTvfRRJrtGpzop\n"
    "DRWESDxUULipZt6J0K9TyLlr9SsZnR8FOsMLD9s245AHzEYTc7KcbyrlTvKmrSw8NMHef6\n"
    "OzduULlH4dJXLqVirBdy+RaGxfMRiOu95zcQV91As6co+IiVg+3hWVuvqHg97vvMHdnZy8\n"
    "qXjW1V/z+kpViGmPjbnHYs+HzPJILk0I/ojZUW+z/SWQPAHMRsXEy5bhy+gsEWpDeDbxes\n"
    "bFPXkhYZLdUejhhK4c1n3D\n"
    "---- END SSH2 PUBLIC KEY ----\n";
const std::string kRsaPem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvluq7uu9RyetEvJeiUKP\n"
    "Bp+iaBXDBPljSRaw0OGScBPkTQdhOC/Bf2/+G6PVEsYqWoYqo9v2P0JMblsU/CpU\n"
    "8IEhdY6V2jOWE730USa7Rqc6KQ0VhEg8VFC4qWbeidCvU8i5a/UrGZ0fBTrDCw/b\n"
    "NuOQB8xGE3OynG8q5U7ypq0sPDTB3n+js3blC5R+HSVy6lYqwXcvkWhsXzEYjrve\n"
    "c3EFfdQLOnKPiIlYPt4Vlbr6h4Pe77zB3Z2cvKl41tVf8/pKVYhpj425x2LPh8zy\n"
    "SC5NCP6I2VFvs/0lkDwBzEbFxMuW4cvoLBFqQ3g28XrGxT15IWGS3VHo4YSuHNZ9\n"
    "wwIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
const std::string kRsaDerBase64 =
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvluq7uu9RyetEvJeiUKPBp+iaBXDBPljSRaw"
    "0OGScBPkTQdhOC/Bf2/+G6PVEsYqWoYqo9v2P0JMblsU/CpU8IEhdY6V2jOWE730USa7Rqc6KQ0VhEg8"
    "VFC4qWbeidCvU8i5a/UrGZ0fBTrDCw/bNuOQB8xGE3OynG8q5U7ypq0sPDTB3n+js3blC5R+HSVy6lYq"
    "wXcvkWhsXzEYjrvec3EFfdQLOnKPiIlYPt4Vlbr6h4Pe77zB3Z2cvKl41tVf8/pKVYhpj425x2LPh8zy"
    "SC5NCP6I2VFvs/0lkDwBzEbFxMuW4cvoLBFqQ3g28XrGxT15IWGS3VHo4YSuHNZ9wwIDAQAB";
const std::string kRsaMd5 = "a7:15:0a:bd:62:ea:0b:10:2e:6b:1c:6e:11:f8:cd:91";
const std::string kRsaSha256 = "U/lbrhvck8CvF9S4OZEMk6O8wFuCfk8+1ATAOaNZ1Ks";
const std::string kEdLine =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGK9DaNOTBrrkTZjXKiam87BD6xEAk9yjKqcQtABZfCz";
const std::string kEdSsh2 =
    "---- BEGIN SSH2 PUBLIC KEY ----\n"
    "Comment: \"256-bit ED25519, converted from OpenSSH\"\n"
    "AAAAC3NzaC1lZDI1NTE5AAAAIGK9DaNOTBrrkTZjXKiam87BD6xEAk9yjKqcQtABZfCz\n"
    "---- END SSH2 PUBLIC KEY ----\n";
const std::string kEdPem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAYr0No05MGuuRNmNcqJqbzsEPrEQCT3KMqpxC0AFl8LM=\n"
    "-----END PUBLIC KEY-----\n";
const std::string kEdMd5 = "73:96:2c:d7:c3:29:b2:8c:b0:2c:36:d5:c2:c1:39:33";
const std::string kEdSha256 = "sRJHbBVtWUXe07DtogxE64xAE5H84M9+3lnNRwHGDKk";
const std::string kEcdsaLine =
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBIAzD6Pr"
    "DPKqYJE9sY+Ytydl5P5a+LnbvLvkxg2tqZVIkFSfrGjT/LWIL/g3SRtHwuKZxket/jS9dOaf9ZZ3lIU=";
const std::string kDsaPem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBvjCCATMGByqGSM44BAEwggEmAoGBALEw75XwifAXfq8PLRVhQl3nvcoBg5K2\n"
    "q5+wwMYE00BLLSrb2M4sIGTEtPMmTnhuqJrtVOQyarCcVhRYxFI8PSzZrbzEwqIB\n"
    "Ic+eqNm6FlEm8R5h+mq7CqMlLwUu3TOqW0KmKeReuWoZ7aVAfQv5yJLVaJhJLum+\n"
    "y2Qx8JWF/3CjAh0As3FMGGEBRX4C5kMJG74mgudqjgkPCqPNdFvAGQKBgDTs9Gn2\n"
    "mpw6jDt/s11lA5QjhnHwOO3EXnOszsYG+RkSmdF1jmZfRx60ZiQOfJKfrnAOsRdU\n"
    "ON3FTTsCqBpNieCw0VgZB0TAKcD6QZ9TvPUj0J3pqpSF86Ej/ifBAVaZ+QEToPfF\n"
    "Joa7zM0oGFHldr1V0MQ7uW/8s/iM0g8iEFogA4GEAAKBgETKw60GBvhB6wrq81db\n"
    "NZc7lGEvi23xY1YdYhcHtpKnn9VDxP8bc+UU0yh9Jd7Q1K3wkeCHrIN4w3hc9JBt\n"
    "se+zXUEwxnw0Oiokf2V9qXswMIfHvjtrg44qMz1eDp1QtwKmyxKb2BGnmI7/n3Zy\n"
    "Qn9d9Sb/9tiLB6PUzx2S7732\n"
    "-----END PUBLIC KEY-----\n";
const std::string kRsa768Line =
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAYQC0Ve70pyZIkJyxhpClSWS4/wPawwRzT0Bg6XWMgRF6"
    "xofEUHqqdxY44LmlyY3MyLFJmMSfH8sBqsNhVgaSIguRoJfKfmOYW7DalAECv3/yhEtjE0cgrsugNDT9"
    "ye5IKO0=";

std::string rewrite(std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != text.npos);
    return text.replace(at, from.size(), to);
}

bool refused(std::string_view text) {
    const auto key = parse_ssh_public_key(text);
    return !key && key.error().code() == Code::invalid_argument;
}

}  // namespace

TEST_CASE("an RSA key is read in every format, and is the same key") {
    for (const std::string& text : {kRsaLine + " a comment with words", kRsaLine + "\n", kRsaSsh2,
                                    kRsaPem, rewrite(kRsaSsh2, "\n", "\r\n"), kRsaDerBase64}) {
        CAPTURE(text);
        const auto key = parse_ssh_public_key(text);
        REQUIRE_MESSAGE(key.has_value(), key.error().message());
        CHECK(key->type == SshKeyType::rsa);
        CHECK(key->bits == 2048);
        CHECK(openssh_line(*key) == kRsaLine);
    }
}

TEST_CASE("an Ed25519 key is read in every format, and is the same key") {
    for (const std::string& text : {kEdLine + " me@here", kEdSsh2, kEdPem}) {
        CAPTURE(text);
        const auto key = parse_ssh_public_key(text);
        REQUIRE_MESSAGE(key.has_value(), key.error().message());
        CHECK(key->type == SshKeyType::ed25519);
        CHECK(openssh_line(*key) == kEdLine);
    }
}

TEST_CASE("KP-3: fingerprints are what the usual tools compute") {
    const auto rsa = parse_ssh_public_key(kRsaLine);
    CHECK(md5_der_fingerprint(*rsa) == kRsaMd5);
    CHECK(sha256_fingerprint(*rsa) == kRsaSha256 + "=");
    CHECK(sha256_fingerprint(*parse_ssh_public_key(kEdLine)) == kEdSha256 + "=");
    CHECK(md5_der_fingerprint(*parse_ssh_public_key(kEdLine)) == kEdMd5);
}

TEST_CASE("what is no RSA or Ed25519 public key is refused") {
    CHECK(refused(""));
    CHECK(refused("ssh-rsa"));
    CHECK(refused("ssh-rsa AAAA"));
    CHECK(refused("hello world"));
    CHECK(refused(kEcdsaLine));
    CHECK(refused(kDsaPem));
    CHECK(refused(rewrite(kRsaLine, "ssh-rsa", "ssh-ed25519")));  // name and key disagree
    CHECK(refused(kRsaLine.substr(0, kRsaLine.size() - 8)));
    CHECK(refused(kRsaLine + "\n" + kEdLine));
    CHECK(refused(kRsa768Line));
    CHECK(refused("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----"));
    CHECK(refused(rewrite(kRsaPem, "-----END PUBLIC KEY-----", "")));
    CHECK(refused(rewrite(kRsaSsh2, "---- END SSH2 PUBLIC KEY ----", "")));
    CHECK(refused(std::string(kMaxPublicKeyText + 1, ' ') + kRsaLine));
    const Bytes der = *base64_decode(kRsaDerBase64);
    Bytes longer = der;
    longer.push_back(0);
    CHECK(refused(base64_encode(longer)));
    CHECK(refused(base64_encode(ByteView(der).first(der.size() - 1))));
}

TEST_CASE("no damaged byte of a key brings the parser down") {
    for (const std::string& text : {kRsaLine, kRsaSsh2, kRsaPem, kRsaDerBase64, kEdLine}) {
        for (std::size_t at = 0; at < text.size(); ++at) {
            std::string damaged = text;
            damaged[at] = damaged[at] == 'A' ? '/' : 'A';
            if (const auto key = parse_ssh_public_key(damaged)) {
                CHECK(parse_ssh_public_key(openssh_line(*key)).has_value());
                CHECK(md5_der_fingerprint(*key).size() == 47);
            }
            static_cast<void>(parse_ssh_public_key(std::string_view(text).substr(0, at)));
        }
    }
}

TEST_CASE("KP-2: generated pairs are new each time and in the formats asked for") {
    for (const SshKeyType type : {SshKeyType::rsa, SshKeyType::ed25519}) {
        const SshPrivateKey one = SshPrivateKey::generate(type);
        const SshPrivateKey two = SshPrivateKey::generate(type);
        const SshPublicKey key = one.public_key();
        CHECK(key.blob != two.public_key().blob);
        CHECK(key.type == type);
        CHECK(parse_ssh_public_key(openssh_line(key))->blob == key.blob);
        const std::string name = type == SshKeyType::rsa ? "RSA" : "OPENSSH";
        CHECK(one.pem("me").starts_with("-----BEGIN " + name + " PRIVATE KEY-----\n"));
        CHECK(one.pem("me").ends_with("\n-----END " + name + " PRIVATE KEY-----\n"));
        const std::string ppk = one.ppk("my key");
        CHECK(ppk.starts_with("PuTTY-User-Key-File-2: ssh-"));
        CHECK(ppk.find("\nEncryption: none\nComment: my key\nPublic-Lines: ") != ppk.npos);
        CHECK(split(one.sha1_der_fingerprint(), ':').size() == 20);
        CHECK(one.sha1_der_fingerprint() != two.sha1_der_fingerprint());
    }
}
