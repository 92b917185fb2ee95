// SPDX-License-Identifier: Apache-2.0
#include "catalog/store.h"

#include "catalog/detail/sql.h"

namespace kiln::catalog {

Result<std::optional<std::string>> Meta::find(std::string_view key) {
    TRY_ASSIGN(const auto rows,
               session_.query({"SELECT content FROM meta WHERE name = ?", {std::string(key)}}));
    if (rows.empty()) {
        return std::optional<std::string>();
    }
    const auto* text = std::get_if<std::string>(&rows[0][0]);
    if (text == nullptr) {
        return Error(Code::data_loss, "meta: '" + std::string(key) + "' is not a text");
    }
    return std::optional<std::string>(*text);
}

Status Meta::set(std::string_view key, std::string_view value) {
    TRY(
        session_.execute({"INSERT INTO meta (name, content) VALUES (?, ?) "
                          "ON CONFLICT (name) DO UPDATE SET content = excluded.content",
                          {std::string(key), std::string(value)}}));
    return ok();
}

}  // namespace kiln::catalog
