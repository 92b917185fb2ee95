// SPDX-License-Identifier: Apache-2.0
// SSH keys (OpenSSL 3, hidden in the .cpp): generating pairs, and reading public keys in the
// formats people have them in. RSA and Ed25519 alone.
//
// Nothing here keeps a private key longer than its object lives. Generation draws from OpenSSL's
// own random generator, which the kernel seeds. Broken invariants of OpenSSL stop the process;
// input never does. Thread model: plain values and pure functions.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "util/bytes.h"
#include "util/result.h"

namespace kiln::crypto {

enum class SshKeyType { rsa, ed25519 };

// ssh-keygen's smallest and, twice over, largest usual size.
inline constexpr unsigned kMinRsaBits = 1024;
inline constexpr unsigned kMaxRsaBits = 8192;
// An RSA key of 8,192 bits takes 1.4 KB in every format; comments and headers may add some.
inline constexpr std::size_t kMaxPublicKeyText = 16U << 10;

struct SshPublicKey {
    SshKeyType type = SshKeyType::rsa;
    unsigned bits = 0;
    Bytes blob;  // RFC 4253, 6.6: what an authorized_keys line holds in Base64
};

// Reads an authorized_keys line ("ssh-rsa AAAA... comment"), RFC 4716 ("---- BEGIN SSH2 PUBLIC KEY
// ----"), a PEM or bare Base64 of a DER SubjectPublicKeyInfo. invalid_argument for anything else:
// other algorithms, sizes, trailing bytes.
Result<SshPublicKey> parse_ssh_public_key(std::string_view text);

// "ssh-rsa AAAA...", without a comment.
std::string openssh_line(const SshPublicKey& key);
// SHA-256 of the blob in padded Base64. `ssh-keygen -lf` prints the same without padding.
std::string sha256_fingerprint(const SshPublicKey& key);
// MD5 of the DER SubjectPublicKeyInfo, "aa:bb:...": openssl rsa -pubout -outform DER | md5sum.
std::string md5_der_fingerprint(const SshPublicKey& key);

class SshPrivateKey {
  public:
    // RSA has 2,048 bits.
    static SshPrivateKey generate(SshKeyType type);
    ~SshPrivateKey();
    SshPrivateKey(SshPrivateKey&&) noexcept;
    SshPrivateKey& operator=(SshPrivateKey&&) noexcept;

    SshPublicKey public_key() const;
    // Without a passphrase, as ssh reads it: RSA in PKCS#1, Ed25519 in OpenSSH's own format.
    std::string pem(std::string_view comment) const;
    // PuTTY's format, version 2, which every version of PuTTY reads.
    std::string ppk(std::string_view comment) const;
    // SHA-1 of the DER PKCS#8, "aa:bb:...": openssl pkcs8 -topk8 -nocrypt -outform DER | sha1sum.
    std::string sha1_der_fingerprint() const;

  private:
    struct State;
    explicit SshPrivateKey(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace kiln::crypto
