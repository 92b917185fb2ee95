// SPDX-License-Identifier: Apache-2.0
#include "crypto/aead.h"

#include <openssl/evp.h>

#include <memory>

#include "util/check.h"

namespace kiln::crypto {
namespace {

struct ContextDeleter {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

// Ready for the text: key, nonce and what is bound have been taken in.
Context begin(bool seals, ByteView key, ByteView nonce, ByteView bound) {
    INVARIANT(key.size() == kAeadKeyBytes && nonce.size() == kAeadNonceBytes);
    Context context(EVP_CIPHER_CTX_new());
    INVARIANT_MSG(context != nullptr, "out of memory for a cipher context");
    INVARIANT(EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data(),
                                seals ? 1 : 0) == 1);
    INVARIANT(bound.size() <= kAeadMaxBytes);
    int taken = 0;
    if (!bound.empty()) {
        INVARIANT(EVP_CipherUpdate(context.get(), nullptr, &taken, bound.data(),
                                   static_cast<int>(bound.size())) == 1);
    }
    return context;
}

void run(const Context& context, ByteView in, std::uint8_t* out) {
    INVARIANT(in.size() <= kAeadMaxBytes);
    int written = 0;
    if (!in.empty()) {
        INVARIANT(EVP_CipherUpdate(context.get(), out, &written, in.data(),
                                   static_cast<int>(in.size())) == 1);
        INVARIANT(static_cast<std::size_t>(written) == in.size());
    }
}

}  // namespace

Bytes seal_aead(ByteView key, ByteView nonce, ByteView bound, ByteView text) {
    const Context context = begin(true, key, nonce, bound);
    Bytes sealed(text.size() + kAeadTagBytes);
    run(context, text, sealed.data());
    int rest = 0;
    INVARIANT(EVP_CipherFinal_ex(context.get(), sealed.data() + text.size(), &rest) == 1);
    INVARIANT(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG,
                                  static_cast<int>(kAeadTagBytes),
                                  sealed.data() + text.size()) == 1);
    return sealed;
}

std::optional<Bytes> open_aead(ByteView key, ByteView nonce, ByteView bound, ByteView sealed) {
    if (sealed.size() < kAeadTagBytes || sealed.size() > kAeadMaxBytes) {
        return std::nullopt;
    }
    const Context context = begin(false, key, nonce, bound);
    const std::size_t size = sealed.size() - kAeadTagBytes;
    Bytes tag(sealed.begin() + static_cast<std::ptrdiff_t>(size), sealed.end());
    Bytes text(size + 1);  // never empty: OpenSSL wants a place
    run(context, sealed.first(size), text.data());
    INVARIANT(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG,
                                  static_cast<int>(kAeadTagBytes), tag.data()) == 1);
    int rest = 0;
    if (EVP_CipherFinal_ex(context.get(), text.data() + size, &rest) != 1) {
        return std::nullopt;
    }
    text.resize(size);
    return text;
}

}  // namespace kiln::crypto
