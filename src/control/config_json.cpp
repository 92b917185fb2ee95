// SPDX-License-Identifier: Apache-2.0
#include "control/config_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace kiln::control {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 8;  // a topology is five deep

std::string position(std::string_view text, std::size_t byte) {
    const std::string_view before = text.substr(0, std::min(byte == 0 ? 0 : byte - 1, text.size()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto start = before.rfind('\n');
    const std::size_t column = before.size() - (start == before.npos ? 0 : start + 1) + 1;
    return fmt::format("line {}, column {}", line, column);
}

// Watches the library parse: it would silently keep the last of two members of one name, and nest
// as deep as the file says.
class Watch {
  public:
    bool operator()(int depth, json::parse_event_t event, json& parsed) {
        if (event == json::parse_event_t::object_start) {
            open_.emplace_back();
        } else if (event == json::parse_event_t::object_end) {
            open_.pop_back();
        } else if (event == json::parse_event_t::key) {
            const auto& name = parsed.get_ref<const std::string&>();
            if (!open_.back().insert(name).second && trouble_.empty()) {
                trouble_ = fmt::format("the member '{}' stands twice in one object", name);
            }
        }
        if (depth > kMaxDepth && trouble_.empty()) {
            trouble_ = "it is nested too deep";
        }
        return true;
    }
    const std::string& trouble() const { return trouble_; }

  private:
    std::vector<std::set<std::string>> open_;
    std::string trouble_;
};

}  // namespace

Error wrong_config(const std::string& where, std::string_view what) {
    return Error(Code::invalid_argument, fmt::format("{}: {}", where, what));
}

Status check_config(std::string_view text) {
    Watch watch;
    // The library says where a text breaks off only by an exception.
    try {
        const json document = json::parse(text, std::ref(watch));
    } catch (const json::parse_error& error) {
        return wrong_config(position(text, error.byte), "this is not JSON");
    }
    return watch.trouble().empty() ? ok() : Status(Error(Code::invalid_argument, watch.trouble()));
}

}  // namespace kiln::control
