// SPDX-License-Identifier: Apache-2.0
// The server side of TLS (1.2 and later) as a Stream, over OpenSSL.
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
    virtual ~TlsContext() = default;
    virtual Result<std::unique_ptr<Stream>> accept(UniqueFd fd) const = 0;
};

}  // namespace kiln::net::detail
