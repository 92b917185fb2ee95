// SPDX-License-Identifier: Apache-2.0
// How values become columns and documents, and back: one list of fields per type (detail/fields.h)
// is walked by a writer or by a reader, so that the two cannot disagree.
//
// In a document an empty text, list or optional is left out; a field that is not there keeps the
// default of its type. So a field can be added without a migration as long as its default means
// what the older rows mean. Thread model: plain values.
#pragma once

#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "catalog/detail/document.h"
#include "catalog/detail/sql.h"
#include "model/names.h"
#include "util/bytes.h"
#include "util/check.h"
#include "util/encoding.h"
#include "util/id.h"
#include "util/time.h"

namespace kiln::catalog::detail {

template <class T>
struct IsId : std::false_type {};
template <class Tag>
struct IsId<StrongId<Tag>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

// A value of one piece, as a column can hold it: a number or a text.
template <class T>
concept Scalar = std::integral<T> || std::same_as<T, std::string> || std::same_as<T, UnixMillis> ||
    IsId<T>::value || model::NamedEnum<T>;

template <Scalar T>
SqlValue to_sql(const T& value) {
    if constexpr (std::same_as<T, std::string>) {
        return value;
    } else if constexpr (IsId<T>::value) {
        return value.str();
    } else if constexpr (std::same_as<T, UnixMillis>) {
        return value.value;
    } else if constexpr (model::NamedEnum<T>) {
        return std::string(model::to_string(value));
    } else if constexpr (std::same_as<T, bool>) {
        return std::int64_t{value};
    } else {
        INVARIANT(std::in_range<std::int64_t>(value));
        return static_cast<std::int64_t>(value);
    }
}
template <Scalar T>
SqlValue to_sql(const std::optional<T>& value) {
    return value ? to_sql(*value) : SqlValue{};
}

// False when the stored value cannot be one of T.
template <Scalar T>
bool from_sql(const SqlValue& in, T& out) {
    if constexpr (std::integral<T> || std::same_as<T, UnixMillis>) {
        const auto* number = std::get_if<std::int64_t>(&in);
        if (number == nullptr) {
            return false;
        }
        if constexpr (std::same_as<T, UnixMillis>) {
            out.value = *number;
        } else if constexpr (std::same_as<T, bool>) {
            out = *number != 0;
        } else {
            if (!std::in_range<T>(*number)) {
                return false;
            }
            out = static_cast<T>(*number);
        }
        return true;
    } else {
        const auto* text = std::get_if<std::string>(&in);
        if (text == nullptr) {
            return false;
        }
        if constexpr (model::NamedEnum<T>) {
            const auto parsed = model::parse<T>(*text);
            out = parsed.value_or(T{});
            return parsed.has_value();
        } else {
            out = T(*text);
            return true;
        }
    }
}
template <Scalar T>
bool from_sql(const SqlValue& in, std::optional<T>& out) {
    if (std::holds_alternative<std::monostate>(in)) {
        out.reset();
        return true;
    }
    return from_sql(in, out.emplace());
}

// The members of a document, written.
class ObjectWriter {
  public:
    static constexpr bool kWrites = true;
    template <class T>
    void field(const char* name, const T& value) {
        Document document = encode(value);
        if (!std::holds_alternative<std::monostate>(document.value)) {
            members_.push_back({name, std::move(document)});
        }
    }
    Document take() { return Document{std::move(members_)}; }

  private:
    // Nothing for what is left out.
    template <class T>
    static Document encode(const T& value) {
        if constexpr (IsOptional<T>::value) {
            static_assert(!std::same_as<T, std::optional<std::string>>,
                          "an empty text and an absent one would be the same");
            return value ? encode(*value) : Document{};
        } else if constexpr (std::same_as<T, Bytes>) {
            return encode(base64_encode(value));
        } else if constexpr (IsVector<T>::value) {
            Document::Array items;
            for (const auto& item : value) {
                items.push_back(encode_item(item));
            }
            return items.empty() ? Document{} : Document{std::move(items)};
        } else if constexpr (Scalar<T>) {
            return encode_scalar(value);
        } else {
            ObjectWriter inner;
            fields(inner, value);
            return inner.take();
        }
    }
    template <class T>
    static Document encode_item(const T& item) {
        Document document = encode(item);
        // A list keeps its empty texts, or its length would change.
        if (std::holds_alternative<std::monostate>(document.value)) {
            document.value = std::string();
        }
        return document;
    }
    template <class T>
    static Document encode_scalar(const T& value) {
        if constexpr (std::same_as<T, bool>) {
            return Document{value};
        } else {
            SqlValue scalar = to_sql(value);
            if (auto* number = std::get_if<std::int64_t>(&scalar)) {
                return Document{*number};
            }
            std::string& text = std::get<std::string>(scalar);
            return text.empty() ? Document{} : Document{std::move(text)};
        }
    }
    Document::Object members_;
};

// The members of a document, read. Members nobody asks for are skipped: a later program of the same
// schema wrote them.
class ObjectReader {
  public:
    static constexpr bool kWrites = false;
    explicit ObjectReader(const Document& document)
        : members_(std::get_if<Document::Object>(&document.value)) {
        ok_ = members_ != nullptr;
    }
    template <class T>
    void field(std::string_view name, T& value) {
        if (!ok_) {
            return;
        }
        for (const auto& [stored, member] : *members_) {
            if (stored == name) {
                ok_ = decode(member, value);
                return;
            }
        }
    }
    bool ok() const { return ok_; }

  private:
    template <class T>
    static bool decode(const Document& in, T& out) {
        if constexpr (IsOptional<T>::value) {
            return decode(in, out.emplace());
        } else if constexpr (std::same_as<T, Bytes>) {
            const auto* text = std::get_if<std::string>(&in.value);
            auto bytes = base64_decode(text != nullptr ? *text : "?");
            return bytes ? (out = std::move(*bytes), true) : false;
        } else if constexpr (IsVector<T>::value) {
            const auto* items = std::get_if<Document::Array>(&in.value);
            if (items == nullptr) {
                return false;
            }
            out.resize(items->size());
            bool good = true;
            for (std::size_t i = 0; good && i < out.size(); ++i) {
                good = decode((*items)[i], out[i]);
            }
            return good;
        } else if constexpr (Scalar<T>) {
            return decode_scalar(in, out);
        } else {
            ObjectReader inner(in);
            fields(inner, out);
            return inner.ok();
        }
    }
    template <class T>
    static bool decode_scalar(const Document& in, T& out) {
        if constexpr (std::same_as<T, bool>) {
            const auto* flag = std::get_if<bool>(&in.value);
            return flag != nullptr && (out = *flag, true);
        } else if (const auto* number = std::get_if<std::int64_t>(&in.value)) {
            return from_sql(SqlValue(*number), out);
        } else if (const auto* text = std::get_if<std::string>(&in.value)) {
            return from_sql(SqlValue(*text), out);
        }
        return false;
    }
    const Document::Object* members_;
    bool ok_;
};

// A link from a row to something that many rows may name, and that queries ask for.
struct Link {
    std::string kind;
    std::string target;
};

// A whole row: columns in their order, then the document.
class RowWriter : public ObjectWriter {
  public:
    template <class T>
    void column(const char* name, const T& value) {
        names_.emplace_back(name);
        values_.push_back(to_sql(value));
    }
    // A column that is computed from others and only written.
    template <class T>
    void derived(const char* name, const T& value) {
        column(name, value);
    }
    void link(const char* kind, std::string target) {
        if (!target.empty()) {
            links_.push_back(Link{kind, std::move(target)});
        }
    }
    const std::vector<std::string>& names() const { return names_; }
    std::vector<SqlValue>& values() { return values_; }
    const std::vector<Link>& links() const { return links_; }

  private:
    std::vector<std::string> names_;
    std::vector<SqlValue> values_;
    std::vector<Link> links_;
};

class RowReader : public ObjectReader {
  public:
    RowReader(const SqlRow& row, const Document& document) : ObjectReader(document), row_(row) {}
    template <class T>
    void column(const char*, T& value) {
        columns_ok_ = at_ < row_.size() && from_sql(row_[at_], value) && columns_ok_;
        ++at_;
    }
    template <class T>
    void derived(const char*, const T&) {
        ++at_;
    }
    bool ok() const { return columns_ok_ && ObjectReader::ok(); }

  private:
    const SqlRow& row_;
    std::size_t at_ = 0;
    bool columns_ok_ = true;
};

}  // namespace kiln::catalog::detail
