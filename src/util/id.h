// SPDX-License-Identifier: Apache-2.0
// StrongId<Tag>: a text id that cannot be mixed up with another kind of id. Empty means "none".
// Thread model: plain values.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>

namespace kiln {

template <class Tag>
class StrongId {
  public:
    StrongId() = default;
    explicit StrongId(std::string text) : text_(std::move(text)) {}
    const std::string& str() const { return text_; }
    bool empty() const { return text_.empty(); }
    friend auto operator<=>(const StrongId&, const StrongId&) = default;
    friend bool operator==(const StrongId&, const StrongId&) = default;

  private:
    std::string text_;
};

}  // namespace kiln

template <class Tag>
struct std::hash<kiln::StrongId<Tag>> {
    std::size_t operator()(const kiln::StrongId<Tag>& id) const noexcept {
        return std::hash<std::string>{}(id.str());
    }
};
