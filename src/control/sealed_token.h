// SPDX-License-Identifier: Apache-2.0
// What tokens that carry their own proof share: the secret of the store that authenticates them,
// and how values are put into the bytes that are authenticated.
// Thread model: pure functions; store_secret() blocks.
#pragma once

#include <cstdint>
#include <string_view>

#include "catalog/store.h"
#include "io/clock.h"
#include "util/bytes.h"

namespace kiln::control {

// 32 random bytes, kept in the catalog under this name, made when it is first asked for. data_loss
// when what is there is none.
Result<Bytes> store_secret(catalog::Store& store, io::Rng& rng, std::string_view name);

void append_i64(Bytes& out, std::int64_t value);  // big-endian
void append_text(Bytes& out, std::string_view text);

}  // namespace kiln::control
