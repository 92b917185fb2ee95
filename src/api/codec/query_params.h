// SPDX-License-Identifier: Apache-2.0
// QueryParams: the decoded parameters of one request, from its query string and its form body
// (WIRE-1), in an order in which everything below one prefix is contiguous. Nothing is interpreted
// here.
//
// Refuses: broken percent escapes, text that is not UTF-8 or that XML cannot carry, empty or
// overlong names, the same name twice, too many parameters, too many bytes. The limits stand below.
// Thread model: a plain value, immutable after parse().
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "util/result.h"

namespace kiln::api {

// The largest legal request is 50 filters of 200 values (FLT-8) and their names: 10,050 parameters.
inline constexpr std::size_t kMaxParameters = 12'000;
// That many values of 255 characters, each escaped to three bytes, are 8 MB.
inline constexpr std::size_t kMaxQueryBytes = 10U << 20;
inline constexpr std::size_t kMaxParameterName = 1024;

struct QueryParam {
    std::string name;
    std::string value;
};

class QueryParams {
  public:
    // Either part may be empty.
    static Result<QueryParams> parse(std::string_view query_string, std::string_view body);

    std::optional<std::string_view> find(std::string_view name) const;
    std::string_view action() const { return find("Action").value_or(""); }
    std::string_view version() const { return find("Version").value_or(""); }
    std::span<const QueryParam> all() const { return params_; }

  private:
    std::vector<QueryParam> params_;
};

}  // namespace kiln::api
