// SPDX-License-Identifier: Apache-2.0
#include "catalog/detail/document.h"

#include <nlohmann/json.hpp>

namespace kiln::catalog::detail {

namespace {

using nlohmann::json;

// What the service itself nests is five deep; a damaged file must not exhaust the stack.
constexpr std::size_t kMaxDepth = 32;

json to_library(const Document& document) {
    struct Visitor {
        json operator()(std::monostate) const { return nullptr; }
        json operator()(bool flag) const { return flag; }
        json operator()(std::int64_t number) const { return number; }
        json operator()(const std::string& text) const { return text; }
        json operator()(const Document::Array& items) const {
            json out = json::array();
            for (const Document& item : items) {
                out.push_back(to_library(item));
            }
            return out;
        }
        json operator()(const Document::Object& members) const {
            json out = json::object();
            for (const auto& [name, member] : members) {
                out.emplace(name, to_library(member));
            }
            return out;
        }
    };
    return std::visit(Visitor{}, document.value);
}

// Builds our tree while the library parses: a list of many rows spends its time here, and a second
// tree would double it.
class Builder final : public json::json_sax_t {
  public:
    explicit Builder(Document& root) : root_(root) {}

    bool null() override { return put(std::monostate{}); }
    bool boolean(bool flag) override { return put(flag); }
    bool number_integer(std::int64_t number) override { return put(number); }
    bool number_unsigned(std::uint64_t number) override {
        return std::in_range<std::int64_t>(number) && put(static_cast<std::int64_t>(number));
    }
    bool number_float(double, const std::string&) override { return false; }
    bool string(std::string& text) override { return put(std::move(text)); }
    bool binary(json::binary_t&) override { return false; }
    bool start_object(std::size_t) override { return open(Document::Object{}); }
    bool key(std::string& name) override {
        std::get<Document::Object>(open_.back()->value).push_back({std::move(name), Document{}});
        return true;
    }
    bool end_object() override { return close(); }
    bool start_array(std::size_t) override { return open(Document::Array{}); }
    bool end_array() override { return close(); }
    bool parse_error(std::size_t, const std::string&, const json::exception&) override {
        return false;
    }

  private:
    // Where the next value goes. A container does not grow while something inside it is open, so
    // the address stays good.
    Document& slot() {
        if (open_.empty()) {
            return root_;
        }
        if (auto* items = std::get_if<Document::Array>(&open_.back()->value)) {
            return items->emplace_back();
        }
        return std::get<Document::Object>(open_.back()->value).back().value;
    }
    template <class T>
    bool put(T value) {
        slot().value = std::move(value);
        return true;
    }
    template <class T>
    bool open(T container) {
        if (open_.size() >= kMaxDepth) {
            return false;
        }
        Document& at = slot();
        at.value = std::move(container);
        open_.push_back(&at);
        return true;
    }
    bool close() {
        open_.pop_back();
        return true;
    }

    Document& root_;
    std::vector<Document*> open_;
};

}  // namespace

Result<std::string> to_json(const Document& document) {
    try {
        return to_library(document).dump();
    } catch (const json::exception& e) {
        return Error(Code::invalid_argument, e.what());
    }
}

Result<Document> from_json(std::string_view text) {
    Document document;
    Builder builder(document);
    if (!json::sax_parse(text, &builder)) {
        return Error(Code::data_loss, "not a document of the catalog");
    }
    return document;
}

}  // namespace kiln::catalog::detail
