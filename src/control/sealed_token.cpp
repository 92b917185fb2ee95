// SPDX-License-Identifier: Apache-2.0
#include "control/sealed_token.h"

#include <fmt/format.h>

#include "util/encoding.h"

namespace kiln::control {
namespace {

constexpr std::size_t kSecretBytes = 32;

}  // namespace

Result<Bytes> store_secret(catalog::Store& store, io::Rng& rng, std::string_view name) {
    Bytes fresh(kSecretBytes);
    rng.fill(fresh);
    TRY_ASSIGN(const std::string text,
               store.run([&](catalog::Transaction& tx) -> Result<std::string> {
                   TRY_ASSIGN(const auto stored, tx.meta().find(name));
                   if (stored) {
                       return *stored;
                   }
                   TRY(tx.meta().set(name, hex_encode(fresh)));
                   return hex_encode(fresh);
               }));
    auto secret = hex_decode(text);
    if (!secret || secret->size() != kSecretBytes) {
        return Error(Code::data_loss, fmt::format("the catalog's {} is not readable", name));
    }
    return std::move(*secret);
}

void append_i64(Bytes& out, std::int64_t value) {
    const std::size_t at = out.size();
    out.resize(at + 8);
    put_be(out.data() + at, static_cast<std::uint64_t>(value));
}

void append_text(Bytes& out, std::string_view text) {
    out.insert(out.end(), text.begin(), text.end());
}

}  // namespace kiln::control
