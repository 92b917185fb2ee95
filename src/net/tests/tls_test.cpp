// SPDX-License-Identifier: Apache-2.0
// The server behind TLS, spoken to by OpenSSL's own client over a certificate made on the spot.
#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

#include "net/detail/stream.h"
#include "net/tests/http_support.h"

using namespace kiln;
using namespace kiln::net;
using namespace kiln::net::testing;

namespace {

// A self-signed certificate and its key as PEM files in a temporary directory.
class Certificate {
  public:
    Certificate() {
        char name[] = "/tmp/kiln-tls-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        directory_ = name;
        EVP_PKEY* const key = EVP_EC_gen("P-256");
        X509* const certificate = X509_new();
        REQUIRE((key != nullptr && certificate != nullptr));
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
        X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
        X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
        X509_set_pubkey(certificate, key);
        X509_NAME* const subject = X509_get_subject_name(certificate);
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
        X509_set_issuer_name(certificate, subject);
        REQUIRE(X509_sign(certificate, key, EVP_sha256()) > 0);
        std::FILE* file = std::fopen(certificate_path().c_str(), "w");
        REQUIRE(file != nullptr);
        PEM_write_X509(file, certificate);
        std::fclose(file);
        file = std::fopen(key_path().c_str(), "w");
        REQUIRE(file != nullptr);
        PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
        std::fclose(file);
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
    ~Certificate() {
        ::unlink(certificate_path().c_str());
        ::unlink(key_path().c_str());
        ::rmdir(directory_.c_str());
    }
    std::string certificate_path() const { return directory_ + "/certificate.pem"; }
    std::string key_path() const { return directory_ + "/key.pem"; }
    HttpServerOptions options() const {
        return {.tls_certificate_path = certificate_path(), .tls_key_path = key_path()};
    }

  private:
    std::string directory_;
};

// A blocking TLS connection over a RawClient's socket.
class TlsClient {
  public:
    explicit TlsClient(std::uint16_t port)
        : raw_(port), context_(SSL_CTX_new(TLS_client_method())) {
        ssl_ = SSL_new(context_);
        SSL_set_fd(ssl_, raw_.fd());
        REQUIRE(SSL_connect(ssl_) == 1);
    }
    ~TlsClient() {
        SSL_free(ssl_);
        SSL_CTX_free(context_);
    }
    void say(std::string_view text) {
        REQUIRE(SSL_write(ssl_, text.data(), static_cast<int>(text.size())) ==
                static_cast<int>(text.size()));
    }
    std::string read_until(std::string_view text) {
        std::string seen;
        char buffer[16384];
        while (seen.find(text) == seen.npos) {
            const int count = SSL_read(ssl_, buffer, sizeof(buffer));
            if (count <= 0) {
                break;
            }
            seen.append(buffer, static_cast<std::size_t>(count));
        }
        return seen;
    }

  private:
    RawClient raw_;
    SSL_CTX* context_;
    SSL* ssl_ = nullptr;
};

}  // namespace

TEST_CASE("TLS carries requests, large bodies both ways and keep-alive") {
    const Certificate certificate;
    TestServer server(
        [](const HttpRequest& request, BodyReader& body, ResponseWriter& out) {
            CHECK(request.tls);
            const Result<Bytes> data = body.read_all(16U << 20, soon());
            REQUIRE(data.has_value());
            (void)out.send(*data);
        },
        certificate.options());
    TlsClient client(server.port());
    for (int i = 0; i < 3; ++i) {
        const std::string body(1'000'000, static_cast<char>('a' + i));
        client.say("PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000003\r\n\r\n" + body + "end");
        const std::string answer = client.read_until("end");
        CHECK(answer.starts_with("HTTP/1.1 200 OK"));
        CHECK(answer.ends_with(body + "end"));
    }
}

TEST_CASE("a tunnel over TLS carries bytes both ways at once") {
    const Certificate certificate;
    TestServer server(
        [](const HttpRequest&, BodyReader&, ResponseWriter& out) {
            Result<std::unique_ptr<Tunnel>> tunnel = out.upgrade("echo");
            REQUIRE(tunnel.has_value());
            Bytes buffer(1000);
            for (Result<std::size_t> count = (*tunnel)->read(buffer, soon()); count && *count > 0;
                 count = (*tunnel)->read(buffer, soon())) {
                REQUIRE((*tunnel)->write(ByteView(buffer).first(*count), soon()).has_value());
            }
        },
        certificate.options());
    TlsClient client(server.port());
    client.say("GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    CHECK(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
    for (const char* word : {"one", "two"}) {
        client.say(word);
        CHECK(client.read_until(word) == word);
    }
}

TEST_CASE("plain HTTP on a TLS port, and a client that hangs up in the handshake, harm nobody") {
    const Certificate certificate;
    TestServer server(echo, certificate.options());
    RawClient plain(server.port());
    plain.say(get("/"));
    CHECK(plain.read_to_end().find("HTTP/1.1 200") == std::string::npos);
    CHECK(plain.at_end());
    {
        RawClient silent(server.port());
        silent.say("\x16\x03\x01");
        silent.reset();
    }
    TlsClient client(server.port());
    client.say(get("/ok"));
    CHECK(client.read_until("/ok ? \n").starts_with("HTTP/1.1 200"));
}

TEST_CASE(
    "the client of kiln's own command line speaks TLS to a server whose certificate it trusts") {
    Certificate certificate;
    TestServer server(echo, certificate.options());
    const std::string url = "https://localhost:" + std::to_string(server.port());
    const auto get = [&](const std::string& at, const std::string& trusted) {
        auto client = HttpClient::create(at, trusted);
        REQUIRE(client.has_value());
        ClientRequest request;
        request.target = "/over/tls";
        return (*client)->send(request, Deadline::after(std::chrono::seconds(10)));
    };
    const auto answer = get(url, certificate.certificate_path());
    REQUIRE_MESSAGE(answer.has_value(), (answer ? "" : answer.error().to_string()));
    CHECK(answer->status == 200);

    Certificate stranger;
    const auto untrusted = get(url, stranger.certificate_path());
    REQUIRE_FALSE(untrusted.has_value());
    CHECK(untrusted.error().message().find("certificate verify failed") != std::string::npos);
    // It is localhost's, not the address's.
    const std::string by_address = "https://127.0.0.1:" + std::to_string(server.port());
    CHECK_FALSE(get(by_address, certificate.certificate_path()).has_value());
    CHECK(HttpClient::create(url, "/nowhere.pem").error().code() == Code::invalid_argument);
}
