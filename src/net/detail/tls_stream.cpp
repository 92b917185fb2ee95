// SPDX-License-Identifier: Apache-2.0
#include "net/detail/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>

#include "util/mutex.h"

namespace kiln::net::detail {

namespace {

struct OpenSslDeleter {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
};
using SslContext = std::unique_ptr<SSL_CTX, OpenSslDeleter>;
using Ssl = std::unique_ptr<SSL, OpenSslDeleter>;
using BioMethod = std::unique_ptr<BIO_METHOD, OpenSslDeleter>;

Error tls_error(const std::string& what) {
    char text[256] = "unknown reason";
    if (const unsigned long code = ERR_get_error(); code != 0) {
        ERR_error_string_n(code, text, sizeof(text));
    }
    ERR_clear_error();
    return Error(Code::invalid_argument, what + ": " + text);
}

// A BIO of our own, because OpenSSL's socket BIO uses write(), which raises SIGPIPE when the peer
// is gone.
int bio_fd(BIO* bio) {
    return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}
int bio_write(BIO* bio, const char* data, int size) {
    BIO_clear_retry_flags(bio);
    const ssize_t count = ::send(bio_fd(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_write(bio);
    }
    return static_cast<int>(count);
}
int bio_read(BIO* bio, char* out, int size) {
    BIO_clear_retry_flags(bio);
    const ssize_t count = ::recv(bio_fd(bio), out, static_cast<std::size_t>(size), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_read(bio);
    }
    return static_cast<int>(count);
}
long bio_control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BioMethod make_bio_method() {
    BioMethod method(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "kiln socket"));
    if (method != nullptr) {
        BIO_meth_set_write(method.get(), bio_write);
        BIO_meth_set_read(method.get(), bio_read);
        BIO_meth_set_ctrl(method.get(), bio_control);
    }
    return method;
}

class TlsStream : public Stream {
  public:
    TlsStream(UniqueFd fd, Ssl ssl) : Stream(std::move(fd)), ssl_(std::move(ssl)) {}

    Result<Step> handshake() override {
        MutexLock lock(mutex_);
        ERR_clear_error();
        return outcome(SSL_do_handshake(ssl_.get()), 0);
    }
    Result<Step> try_read(MutableByteView out) override {
        MutexLock lock(mutex_);
        ERR_clear_error();
        std::size_t count = 0;
        const int result = SSL_read_ex(ssl_.get(), out.data(), out.size(), &count);
        return outcome(result, count);
    }
    Result<Step> try_write(ByteView data) override {
        MutexLock lock(mutex_);
        ERR_clear_error();
        std::size_t count = 0;
        const int result = SSL_write_ex(ssl_.get(), data.data(), data.size(), &count);
        return outcome(result, count);
    }
    void finish_writing() override {
        MutexLock lock(mutex_);
        ERR_clear_error();
        SSL_shutdown(ssl_.get());  // best effort: the peer may be gone
    }

  private:
    Result<Step> outcome(int result, std::size_t count) REQUIRES(mutex_) {
        if (result > 0) {
            return Step{.bytes = count};
        }
        const int err = errno;
        switch (SSL_get_error(ssl_.get(), result)) {
            case SSL_ERROR_WANT_READ:
                return Step{.wait = Wait::readable};
            case SSL_ERROR_WANT_WRITE:
                return Step{.wait = Wait::writable};
            case SSL_ERROR_ZERO_RETURN:
                return Step{.end = true};
            case SSL_ERROR_SYSCALL:
                return lost_connection(err);
            default:
                return Error(Code::unavailable, tls_error("TLS").message());
        }
    }

    Mutex mutex_;
    const Ssl ssl_ GUARDED_BY(mutex_);
};

class OpenSslContext : public TlsContext {
  public:
    OpenSslContext(SslContext context, BioMethod method)
        : method_(std::move(method)), context_(std::move(context)) {}

    Result<std::unique_ptr<Stream>> accept(UniqueFd fd) const override {
        TRY_ASSIGN(Ssl ssl, make_ssl(fd.get()));
        SSL_set_accept_state(ssl.get());
        return std::unique_ptr<Stream>(std::make_unique<TlsStream>(std::move(fd), std::move(ssl)));
    }
    Result<std::unique_ptr<Stream>> connect(UniqueFd fd, const std::string& host) const override {
        TRY_ASSIGN(Ssl ssl, make_ssl(fd.get()));
        X509_VERIFY_PARAM* const verify = SSL_get0_param(ssl.get());
        const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(verify, host.c_str()) == 1;
        ERR_clear_error();  // of a name that is no address
        if (!is_address && (SSL_set1_host(ssl.get(), host.c_str()) != 1 ||
                            SSL_set_tlsext_host_name(ssl.get(), host.c_str()) != 1)) {
            return tls_error("TLS to " + host);
        }
        SSL_set_connect_state(ssl.get());
        return std::unique_ptr<Stream>(std::make_unique<TlsStream>(std::move(fd), std::move(ssl)));
    }

  private:
    Result<Ssl> make_ssl(int fd) const {
        Ssl ssl(SSL_new(context_.get()));
        BIO* const bio = ssl == nullptr ? nullptr : BIO_new(method_.get());
        if (bio == nullptr) {
            return tls_error("new TLS connection");
        }
        BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
        BIO_set_init(bio, 1);
        SSL_set_bio(ssl.get(), bio, bio);
        return ssl;
    }

    const BioMethod method_;
    const SslContext context_;
};

Result<SslContext> make_context(const SSL_METHOD* side) {
    SslContext context(SSL_CTX_new(side));
    if (context == nullptr) {
        return tls_error("start TLS");
    }
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    // Callers repeat a blocked write with the same bytes at another address; and a short write is
    // fine.
    SSL_CTX_set_mode(context.get(),
                     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE);
    return context;
}

Result<std::shared_ptr<const TlsContext>> finished(SslContext context) {
    BioMethod method = make_bio_method();
    if (method == nullptr) {
        return tls_error("start TLS");
    }
    return std::shared_ptr<const TlsContext>(
        std::make_shared<OpenSslContext>(std::move(context), std::move(method)));
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::create_client(const std::string& ca_bundle) {
    TRY_ASSIGN(SslContext context, make_context(TLS_client_method()));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    const int trusted = ca_bundle.empty() ? SSL_CTX_set_default_verify_paths(context.get())
                                          : SSL_CTX_load_verify_locations(
                                                context.get(), ca_bundle.c_str(), nullptr);
    if (trusted != 1) {
        return tls_error("CA bundle " + ca_bundle);
    }
    return finished(std::move(context));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::create(const std::string& certificate_path,
                                                             const std::string& key_path) {
    TRY_ASSIGN(SslContext context, make_context(TLS_server_method()));
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_path.c_str()) != 1) {
        return tls_error("TLS certificate " + certificate_path);
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), key_path.c_str(), SSL_FILETYPE_PEM) != 1) {
        return tls_error("TLS key " + key_path);
    }
    if (SSL_CTX_check_private_key(context.get()) != 1) {
        return tls_error("TLS key " + key_path + " does not belong to the certificate " +
                         certificate_path);
    }
    return finished(std::move(context));
}

}  // namespace kiln::net::detail
