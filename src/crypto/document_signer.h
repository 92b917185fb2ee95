// SPDX-License-Identifier: Apache-2.0
// DocumentSigner: an RSA key of 2,048 bits with a certificate of it, and the signatures of
// documents that it makes (OpenSSL 3, hidden in the .cpp): RSASSA-PKCS1-v1_5 with SHA-256.
//
// One document has one signature of each kind, byte for byte, so nobody needs to keep any; making
// one takes about a millisecond. Key generation draws from OpenSSL's own random generator, which
// the kernel seeds. Broken invariants of OpenSSL stop the process; input never does. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "util/bytes.h"
#include "util/result.h"
#include "util/time.h"

namespace kiln::crypto {

// X.520's upper bound of a common name, in characters.
inline constexpr std::size_t kMaxSignerName = 64;
// In bytes; the same holds for the text of a key. Far more than any has.
inline constexpr std::size_t kMaxDocument = 1 << 20;

class DocumentSigner {
  public:
    // A new key and the certificate that it signs itself, good from `now` on and for ever, as the
    // PEM text that load() takes: a secret. `name`, printable ASCII, is the certificate's subject.
    // Takes some tenths of a second.
    static std::string generate(std::string_view name, UnixMillis now);
    // invalid_argument unless it is a private key and the certificate of that key.
    static Result<DocumentSigner> load(std::string_view pem);

    ~DocumentSigner();
    DocumentSigner(DocumentSigner&&) noexcept;
    DocumentSigner& operator=(DocumentSigner&&) noexcept;

    // The certificate alone, in PEM: what verifiers need, and no secret.
    std::string certificate() const;

    // Both in Base64, in lines of 76 characters as MIME has them, without a newline at the end.
    //
    // The bare signature.
    std::string sign(ByteView document) const;
    // The document in a CMS SignedData (RFC 5652; PKCS #7 with its first version number), the
    // signature covering `time` as the signing time. Without the certificate: one that comes with
    // a signature proves nothing, and there are verifiers that would take any.
    std::string sign_attached(ByteView document, UnixMillis time) const;

  private:
    struct State;
    explicit DocumentSigner(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace kiln::crypto
