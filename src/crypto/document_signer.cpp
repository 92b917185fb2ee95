// SPDX-License-Identifier: Apache-2.0
#include "crypto/document_signer.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "crypto/detail/openssl_key.h"
#include "crypto/detail/ssh_wire.h"
#include "util/check.h"

namespace kiln::crypto {

namespace {

using detail::Bio;
using detail::Pkey;

constexpr unsigned kRsaBits = 2048;
constexpr int kSerialBits = 127;  // a positive number of 16 bytes; RFC 5280 allows 20
constexpr std::size_t kColumns = 76;
// RFC 5280, 4.1.2.5: the end of what has no well-defined one.
constexpr char kNever[] = "99991231235959Z";
// No certificate, no translation of line ends, no list of ciphers; all at the end, in CMS_final.
constexpr unsigned kCmsFlags = CMS_NOCERTS | CMS_BINARY | CMS_NOSMIMECAP | CMS_PARTIAL;

// One deleter for all the types of which OpenSSL has a function to free them.
template <auto free_it>
struct Freed {
    template <class T>
    void operator()(T* object) const {
        free_it(object);
    }
};
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Time = std::unique_ptr<ASN1_TIME, Freed<ASN1_TIME_free>>;
using Cms = std::unique_ptr<CMS_ContentInfo, Freed<CMS_ContentInfo_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;

std::time_t to_seconds(UnixMillis time) {
    return static_cast<std::time_t>(time.value / 1000);
}

Bio reading(ByteView data) {
    INVARIANT(data.size() <= kMaxDocument);
    // OpenSSL takes no text without an address, an empty one neither.
    Bio bio(BIO_new_mem_buf(data.empty() ? "" : static_cast<const void*>(data.data()),
                            static_cast<int>(data.size())));
    INVARIANT_MSG(bio != nullptr, "out of memory for a document");
    return bio;
}

void add_extension(X509& certificate, int nid, const char* value) {
    const Extension extension(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value));
    INVARIANT(extension != nullptr && X509_add_ext(&certificate, extension.get(), -1) == 1);
}

void add_name(X509_NAME& name, const char* field, std::string_view value) {
    INVARIANT(X509_NAME_add_entry_by_txt(&name, field, MBSTRING_ASC,
                                         reinterpret_cast<const unsigned char*>(value.data()),
                                         static_cast<int>(value.size()), -1, 0) == 1);
}

Certificate self_signed(EVP_PKEY& key, std::string_view name, UnixMillis now) {
    Certificate certificate(X509_new());
    const Number serial(BN_new());
    INVARIANT_MSG(certificate != nullptr && serial != nullptr, "out of memory for a certificate");
    X509& made = *certificate;
    INVARIANT(BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1);
    INVARIANT(BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(&made)) != nullptr);
    INVARIANT(X509_set_version(&made, X509_VERSION_3) == 1);
    X509_NAME* const subject = X509_get_subject_name(&made);
    add_name(*subject, "O", "Kiln");
    add_name(*subject, "CN", name);
    INVARIANT(X509_set_issuer_name(&made, subject) == 1);
    INVARIANT(ASN1_TIME_set(X509_getm_notBefore(&made), to_seconds(now)) != nullptr);
    INVARIANT(ASN1_TIME_set_string_X509(X509_getm_notAfter(&made), kNever) == 1);
    INVARIANT(X509_set_pubkey(&made, &key) == 1);
    add_extension(made, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(made, NID_key_usage, "critical,digitalSignature");
    INVARIANT(X509_sign(&made, &key, EVP_sha256()) > 0);
    return certificate;
}

// A key that wants a passphrase is none of ours; OpenSSL would ask for it at the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*context*/) {
    return -1;
}

std::string base64_text(ByteView data) {
    std::string text = detail::base64_lines(data, kColumns);
    text.pop_back();  // the newline behind the last line
    return text;
}

}  // namespace

// The certificate is as it was read: OpenSSL writes into one that is changed when it encodes it,
// which threads could not share.
struct DocumentSigner::State {
    Pkey key;
    Certificate certificate;
};

DocumentSigner::DocumentSigner(std::unique_ptr<State> state) : state_(std::move(state)) {}
DocumentSigner::~DocumentSigner() = default;
DocumentSigner::DocumentSigner(DocumentSigner&&) noexcept = default;
DocumentSigner& DocumentSigner::operator=(DocumentSigner&&) noexcept = default;

std::string DocumentSigner::generate(std::string_view name, UnixMillis now) {
    INVARIANT(!name.empty() && name.size() <= kMaxSignerName);
    const Pkey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{kRsaBits}));
    INVARIANT_MSG(key != nullptr, "OpenSSL made no key");
    const Certificate certificate = self_signed(*key, name, now);
    const Bio bio = detail::secure_memory();
    INVARIANT(PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                            nullptr) == 1);
    INVARIANT(PEM_write_bio_X509(bio.get(), certificate.get()) == 1);
    return std::string(as_text(detail::content(*bio)));
}

Result<DocumentSigner> DocumentSigner::load(std::string_view pem) {
    if (pem.size() > kMaxDocument) {
        return Error(Code::invalid_argument, "it is too long for a key and its certificate");
    }
    const Bio bio = reading(as_bytes(pem));
    auto state = std::make_unique<State>();
    state->key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (state->key) {
        state->certificate.reset(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
    }
    const bool usable = state->certificate && EVP_PKEY_is_a(state->key.get(), "RSA") == 1 &&
                        X509_check_private_key(state->certificate.get(), state->key.get()) == 1;
    ERR_clear_error();
    if (!usable) {
        return Error(Code::invalid_argument, "it is no RSA key with its certificate");
    }
    return DocumentSigner(std::move(state));
}

std::string DocumentSigner::certificate() const {
    const Bio bio = detail::secure_memory();
    INVARIANT(PEM_write_bio_X509(bio.get(), state_->certificate.get()) == 1);
    return std::string(as_text(detail::content(*bio)));
}

std::string DocumentSigner::sign(ByteView document) const {
    INVARIANT(document.size() <= kMaxDocument);
    const DigestContext context(EVP_MD_CTX_new());
    INVARIANT_MSG(context != nullptr, "out of memory for a signature");
    INVARIANT(
        EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, state_->key.get()) == 1);
    Bytes signature(static_cast<std::size_t>(EVP_PKEY_get_size(state_->key.get())));
    std::size_t size = signature.size();
    INVARIANT(EVP_DigestSign(context.get(), signature.data(), &size, document.data(),
                             document.size()) == 1);
    return base64_text(ByteView(signature).first(size));
}

std::string DocumentSigner::sign_attached(ByteView document, UnixMillis time) const {
    const Cms cms(CMS_sign(nullptr, nullptr, nullptr, nullptr, kCmsFlags));
    const Time signing_time(ASN1_TIME_set(nullptr, to_seconds(time)));
    INVARIANT_MSG(cms != nullptr && signing_time != nullptr, "out of memory for a signature");
    CMS_SignerInfo* const signer =
        CMS_add1_signer(cms.get(), state_->certificate.get(), state_->key.get(), EVP_sha256(),
                        kCmsFlags);  // belongs to `cms`
    INVARIANT(signer != nullptr);
    // Left out it would be the moment of the request, and no two answers the same.
    INVARIANT(CMS_signed_add1_attr_by_NID(signer, NID_pkcs9_signingTime,
                                          ASN1_STRING_type(signing_time.get()), signing_time.get(),
                                          -1) == 1);
    const Bio text = reading(document);
    INVARIANT(CMS_final(cms.get(), text.get(), nullptr, kCmsFlags) == 1);
    const Bio der(BIO_new(BIO_s_mem()));
    INVARIANT(der != nullptr && i2d_CMS_bio(der.get(), cms.get()) == 1);
    return base64_text(detail::content(*der));
}

}  // namespace kiln::crypto
