// SPDX-License-Identifier: Apache-2.0
// Headers: the fields of an HTTP message, in the order they were sent or added. Names are compared
// without regard to case and keep their spelling; a name may occur several times.
//
// Thread model: a plain value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::net {

struct Header {
    std::string name;
    std::string value;
};

class Headers {
  public:
    Headers() = default;
    Headers(std::initializer_list<Header> list) : list_(list) {}

    void add(std::string_view name, std::string_view value);
    // Replaces every field of that name.
    void set(std::string_view name, std::string_view value);
    void remove(std::string_view name);

    bool has(std::string_view name) const { return get(name).has_value(); }
    std::size_t count(std::string_view name) const;
    // The first one. The view lives as long as the field.
    std::optional<std::string_view> get(std::string_view name) const;
    std::vector<std::string_view> all(std::string_view name) const;
    // True when one of the comma-separated elements of the fields called `name` is `token`, in any
    // case.
    bool has_token(std::string_view name, std::string_view token) const;

    const std::vector<Header>& list() const { return list_; }
    auto begin() const { return list_.begin(); }
    auto end() const { return list_.end(); }
    std::size_t size() const { return list_.size(); }

  private:
    std::vector<Header> list_;
};

// What RFC 9110 allows: a token as name; no control character but tab in the value. Keeps a caller
// from splitting messages.
bool is_valid_header(std::string_view name, std::string_view value);

}  // namespace kiln::net
