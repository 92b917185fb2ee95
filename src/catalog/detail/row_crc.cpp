// SPDX-License-Identifier: Apache-2.0
#include "catalog/detail/row_crc.h"

#include "util/crc32c.h"
#include "util/encoding.h"

namespace kiln::catalog::detail {
namespace {

// An absent value has a length that no value has.
constexpr std::uint64_t kAbsent = ~std::uint64_t{0};

std::uint32_t add(std::uint32_t crc, std::uint64_t length, ByteView bytes) {
    std::array<std::uint8_t, 8> head{};
    put_le(head.data(), length);
    return crc32c(bytes, crc32c(head, crc));
}

std::uint32_t add_text(std::uint32_t crc, std::string_view text) {
    return add(crc, text.size(), as_bytes(text));
}

std::uint32_t add(std::uint32_t crc, const SqlValue& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        return add_text(crc, std::to_string(*number));
    }
    if (const auto* text = std::get_if<std::string>(&value)) {
        return add_text(crc, *text);
    }
    if (const auto* bytes = std::get_if<Bytes>(&value)) {
        return add(crc, bytes->size(), *bytes);
    }
    return add(crc, kAbsent, {});
}

struct Guarded {
    std::string_view table;
    std::string_view key;      // unique, the first column
    std::string_view columns;  // in the order of the check sum
};

// The columns as they were when the check sums came: later ones are the business of their scripts.
constexpr Guarded kGuarded[] = {
    {"snapshots", "id", "id, region, owner, state, volume, content, cut, created, doc"},
    {"contents", "id", "id, state, parent, layer, created, doc"},
    {"layers", "id", "id, state, created, doc"},
    {"packs", "number", "number, id, kind, digest, domain, state, epoch, bytes, created, trashed"},
};

}  // namespace

std::int64_t row_crc(std::string_view table, std::span<const SqlValue> values) {
    std::uint32_t crc = add_text(0, table);
    for (const SqlValue& value : values) {
        crc = add(crc, value);
    }
    return crc;
}

Status check_row_crc(std::string_view table, std::span<const SqlValue> values,
                     const SqlValue& stored) {
    const auto* crc = std::get_if<std::int64_t>(&stored);
    if (crc == nullptr || *crc != row_crc(table, values)) {
        return Error(Code::data_loss, "its check sum is wrong: the row was damaged");
    }
    return ok();
}

Status fill_row_crcs(SqlSession& session) {
    for (const Guarded& guarded : kGuarded) {
        const std::string table(guarded.table);
        TRY_ASSIGN(
            const auto rows,
            session.query({"SELECT " + std::string(guarded.columns) + " FROM " + table, {}}));
        for (const SqlRow& row : rows) {
            TRY(session.execute(
                {"UPDATE " + table + " SET crc = ? WHERE " + std::string(guarded.key) + " = ?",
                 {row_crc(guarded.table, row), row.front()}}));
        }
    }
    return ok();
}

}  // namespace kiln::catalog::detail
