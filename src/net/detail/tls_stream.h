// SPDX-License-Identifier: Apache-2.0
// TLS (1.2 and later) as a Stream, over OpenSSL: a context is for a server or for a client.
//
// Thread model: TlsContext is immutable after create() and outlives its streams; streams are as
// Stream says (a lock inside covers OpenSSL's state, never a wait).
#pragma once

#include <memory>
#include <string>

#include "net/detail/stream.h"

namespace kiln::net::detail {

class TlsContext {
  public:
    // PEM files: the certificate with its chain, and its key.
    static Result<std::shared_ptr<const TlsContext>> create(const std::string& certificate_path,
                                                            const std::string& key_path);
    // Trusts the certificates of a PEM file; empty: those the system trusts.
    static Result<std::shared_ptr<const TlsContext>> create_client(const std::string& ca_bundle);
    virtual ~TlsContext() = default;
    // Of a server's context.
    virtual Result<std::unique_ptr<Stream>> accept(UniqueFd fd) const = 0;
    // Of a client's: the peer must prove to be `host`, a name or an address.
    virtual Result<std::unique_ptr<Stream>> connect(UniqueFd fd, const std::string& host) const = 0;
};

}  // namespace kiln::net::detail
