// SPDX-License-Identifier: Apache-2.0
#include "api/codec/query_parser.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "api/codec/text.h"
#include "util/encoding.h"
#include "util/strings.h"
#include "util/time.h"

namespace kiln::api {
namespace {

using Params = std::span<const QueryParam>;

constexpr std::size_t kMaxEcho = 255;

Error invalid_value(std::string message) {
    return Error::api(Code::invalid_argument, "InvalidParameterValue", std::move(message));
}
Error unknown_parameter(std::string_view name) {
    return Error::api(
        Code::invalid_argument, "UnknownParameter",
        "The parameter " + std::string(shortened(name, kMaxEcho)) + " is not recognized");
}
Error missing_parameter(std::string_view path, std::string_view member) {
    std::string name(path);
    name += name.empty() ? "" : ".";
    return Error::api(Code::invalid_argument, "MissingParameter",
                      "The request must contain the parameter " + name.append(member));
}

// The parameters that are not the operation's own: what named it, and the signature of a presigned
// request.
bool is_common(std::string_view name) {
    return name == "Action" || name == "Version" || equals_ignore_case(name.substr(0, 6), "X-Amz-");
}

class Parser {
  public:
    explicit Parser(Protocol protocol) : protocol_(protocol) {}

    // `params` all begin with `path` and a dot (the top of the request has neither).
    Status structure(Params params, std::string_view path, const StructInfo& info, void* object) {
        const std::size_t start = path.empty() ? 0 : path.size() + 1;
        while (!params.empty()) {
            const std::string_view name = params.front().name;
            const std::size_t end = segment_end(name, start);
            const Params group = take_group(params, end);
            const MemberInfo* member = find_by_query_name(info, name.substr(start, end - start));
            if (member != nullptr) {
                TRY(this->member(group, name.substr(0, end), *member, object));
            } else if (start != 0 || !is_common(name)) {
                return unknown_parameter(name);
            }
        }
        return required(path, info, object);
    }

  private:
    static std::size_t segment_end(std::string_view name, std::size_t start) {
        return std::min(name.find('.', start), name.size());
    }

    // Splits off the leading parameters that are the first one's name up to `end`, or lie below it.
    static Params take_group(Params& params, std::size_t end) {
        const std::string_view path = std::string_view(params.front().name).substr(0, end);
        std::size_t count = 1;
        while (count < params.size()) {
            const std::string_view name = params[count].name;
            if (!name.starts_with(path) || (name.size() > end && name[end] != '.')) {
                break;
            }
            ++count;
        }
        const Params group = params.first(count);
        params = params.subspan(count);
        return group;
    }

    Status required(std::string_view path, const StructInfo& info, const void* object) const {
        for (const MemberInfo& member : info.members) {
            const Presence presence = api::presence(member, object);
            if (member.required && presence != Presence::set &&
                !(presence == Presence::empty && may_be_empty(path, member))) {
                return missing_parameter(path, member.query_name);
            }
        }
        return ok();
    }

    // In the query protocol the text of an item, as the value of a tag: IAM has empty ones.
    bool may_be_empty(std::string_view path, const MemberInfo& member) const {
        return protocol_ == Protocol::query && !path.empty() && member.type.kind == Kind::string;
    }

    Status member(Params group, std::string_view path, const MemberInfo& member, void* object) {
        const bool alone = group.size() == 1 && group.front().name.size() == path.size();
        if (alone && group.front().value.empty()) {
            make_empty(member, object);
            return ok();
        }
        return value(group, path, member.type, member.sensitive, make_value(member, object));
    }

    Status value(Params group, std::string_view path, const TypeInfo& type, bool sensitive,
                 void* target) {
        const bool own = group.front().name.size() == path.size();
        if (type.kind == Kind::structure || type.kind == Kind::list) {
            if (own && !group.front().value.empty()) {
                return invalid_value("Invalid value for " + std::string(path) +
                                     ". It has members of its own.");
            }
            const Params below = group.subspan(own ? 1 : 0);
            return type.kind == Kind::list ? list(below, path, *type.list, sensitive, target)
                                           : structure(below, path, *type.structure, target);
        }
        if (group.size() > 1 || !own) {
            return unknown_parameter(group.back().name);
        }
        return scalar(group.front(), type, sensitive, target);
    }

    Status list(Params params, std::string_view path, const ListInfo& info, bool sensitive,
                void* target) {
        std::size_t start = path.size() + 1;
        if (protocol_ == Protocol::query) {
            start += info.item_name.size() + 1;
        }
        struct Item {
            std::uint32_t index;
            Params params;
            std::string_view path;
        };
        std::vector<Item> items;
        while (!params.empty()) {
            const std::string_view name = params.front().name;
            const std::size_t end = start < name.size() ? segment_end(name, start) : name.size();
            const auto index = item_index(name, path, info, start, end);
            if (!index) {
                return unknown_parameter(name);
            }
            const Params group = take_group(params, end);
            items.push_back({*index, group, name.substr(0, end)});
        }
        std::sort(items.begin(), items.end(),
                  [](const Item& a, const Item& b) { return a.index < b.index; });
        for (const Item& item : items) {
            TRY(value(item.params, item.path, info.item, sensitive, info.append(target)));
        }
        return ok();
    }

    // 1 to 2^31 - 1, written without leading zeros, so that no two names mean one item.
    std::optional<std::uint32_t> item_index(std::string_view name, std::string_view path,
                                            const ListInfo& info, std::size_t start,
                                            std::size_t end) const {
        if (start >= name.size()) {
            return std::nullopt;
        }
        if (protocol_ == Protocol::query &&
            (name.substr(path.size() + 1, info.item_name.size()) != info.item_name ||
             name[start - 1] != '.')) {
            return std::nullopt;
        }
        const std::string_view digits = name.substr(start, end - start);
        const auto index = parse_int<std::uint32_t>(digits);
        if (!index || *index == 0 || *index > 0x7FFFFFFFU || digits.front() == '0') {
            return std::nullopt;
        }
        return index;
    }

    static Status scalar(const QueryParam& param, const TypeInfo& type, bool sensitive,
                         void* target) {
        const char* expected = set_scalar(param.value, type, target);
        if (expected == nullptr) {
            return ok();
        }
        std::string message = "Invalid value ";
        if (!sensitive) {
            message.append("'").append(shortened(param.value, kMaxEcho)).append("' ");
        }
        message.append("for ").append(param.name).append(". ").append(expected);
        return invalid_value(std::move(message));
    }

    template <class T>
    static bool assign(void* target, std::optional<T> parsed) {
        if (parsed) {
            *static_cast<T*>(target) = std::move(*parsed);
        }
        return parsed.has_value();
    }

    // Null when the text was right, else what was expected.
    static const char* set_scalar(const std::string& text, const TypeInfo& type, void* target) {
        switch (type.kind) {
            case Kind::string:
                return assign(target, string_value(text, type.values))
                           ? nullptr
                           : "It is not one of the values allowed.";
            case Kind::integer:
                return assign(target, parse_int<std::int32_t>(text)) ? nullptr
                                                                     : "It must be an integer.";
            case Kind::long_:
                return assign(target, parse_int<std::int64_t>(text)) ? nullptr
                                                                     : "It must be an integer.";
            case Kind::double_:
                return assign(target, double_value(text)) ? nullptr : "It must be a number.";
            case Kind::boolean:
                return assign(target, bool_value(text)) ? nullptr : "It must be true or false.";
            case Kind::timestamp:
                return assign(target, time_value(text))
                           ? nullptr
                           : "It must be a time such as 2030-01-31T12:00:00Z.";
            case Kind::blob:
                return assign(target, blob_value(text)) ? nullptr : "It must be Base64.";
            case Kind::structure:
            case Kind::list:
                break;
        }
        return "It has members of its own.";
    }

    // An empty value means absent for most of these; the handler decides.
    static std::optional<std::string> string_value(const std::string& text,
                                                   const EnumInfo* allowed) {
        if (allowed == nullptr || text.empty()) {
            return text;
        }
        const auto found =
            std::find_if(allowed->values.begin(), allowed->values.end(),
                         [&text](std::string_view v) { return equals_ignore_case(v, text); });
        return found == allowed->values.end() ? std::nullopt : std::optional<std::string>(*found);
    }

    static std::optional<double> double_value(std::string_view text) {
        double value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
            return std::nullopt;
        }
        return value;
    }

    static std::optional<bool> bool_value(std::string_view text) {
        if (equals_ignore_case(text, "true")) {
            return true;
        }
        return equals_ignore_case(text, "false") ? std::optional<bool>(false) : std::nullopt;
    }

    // TIME-4; some clients leave the zone out and mean UTC.
    static std::optional<UnixMillis> time_value(const std::string& text) {
        auto parsed = parse_iso8601(text);
        if (!parsed) {
            parsed = parse_iso8601(text + "Z");
        }
        return parsed ? std::optional<UnixMillis>(*parsed) : std::nullopt;
    }

    static std::optional<Bytes> blob_value(std::string_view text) {
        auto parsed = base64_decode(text);
        return parsed ? std::optional<Bytes>(std::move(*parsed)) : std::nullopt;
    }

    const Protocol protocol_;
};

}  // namespace

Status parse_request(const OperationInfo& operation, const QueryParams& params, void* request) {
    return Parser(operation.service->protocol)
        .structure(params.all(), {}, *operation.request, request);
}

}  // namespace kiln::api
