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

constexpr std::size_t kMaxDepth = 8;  // a topology is five deep

std::string position(std::string_view text, std::size_t byte) {
    const std::string_view before = text.substr(0, std::min(byte == 0 ? 0 : byte - 1, text.size()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto start = before.rfind('\n');
    const std::size_t column = before.size() - (start == before.npos ? 0 : start + 1) + 1;
    return fmt::format("line {}, column {}", line, column);
}

// Hears the library read: as a document it would silently keep the last of two members of one name,
// nest as deep as the file says, and end a number beyond its range by an exception without a place.
class Watch : public json::json_sax_t {
  public:
    explicit Watch(std::string_view text) : text_(text) {}

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(json::number_integer_t) override { return true; }
    bool number_unsigned(json::number_unsigned_t) override { return true; }
    bool number_float(json::number_float_t, const std::string&) override { return true; }
    bool string(std::string&) override { return true; }
    bool binary(json::binary_t&) override { return true; }

    bool start_object(std::size_t) override { return open(); }
    bool end_object() override { return close(); }
    bool start_array(std::size_t) override { return open(); }
    bool end_array() override { return close(); }
    bool key(std::string& name) override {
        return names_.back().insert(name).second ||
               stop(Error(Code::invalid_argument,
                          fmt::format("the member '{}' stands twice in one object", name)));
    }

    bool parse_error(std::size_t byte, const std::string& token,
                     const json::exception& error) override {
        const bool number = dynamic_cast<const json::out_of_range*>(&error) != nullptr;
        return stop(wrong_config(position(text_, byte),
                                 number ? fmt::format("the number {} is too large", token)
                                        : std::string("this is not JSON")));
    }

    Status outcome() const { return outcome_; }

  private:
    bool open() {
        names_.emplace_back();
        return names_.size() <= kMaxDepth ||
               stop(Error(Code::invalid_argument, "it is nested too deep"));
    }
    bool close() {
        names_.pop_back();
        return true;
    }
    bool stop(Error error) {
        outcome_ = std::move(error);
        return false;
    }

    std::string_view text_;
    std::vector<std::set<std::string>> names_;  // of each object or list that is open
    Status outcome_ = ok();
};

}  // namespace

Error wrong_config(const std::string& where, std::string_view what) {
    return Error(Code::invalid_argument, fmt::format("{}: {}", where, what));
}

Status check_config(std::string_view text) {
    Watch watch(text);
    (void)json::sax_parse(text, &watch);  // the watch knows the outcome
    return watch.outcome();
}

}  // namespace kiln::control
