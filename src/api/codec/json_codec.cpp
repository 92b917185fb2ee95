// SPDX-License-Identifier: Apache-2.0
#include "api/codec/json_codec.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "api/codec/text.h"
#include "util/encoding.h"
#include "util/time.h"

namespace kiln::api {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxEcho = 255;
// The year 9999: what a time can be written as.
constexpr double kMaxSeconds = 253402300799.0;

Error serialization(std::string message) {
    return Error::api(Code::invalid_argument, "SerializationException", std::move(message));
}
Error violated(std::string_view value, std::string_view path, std::string_view rule) {
    std::string message = "1 validation error detected: Value ";
    message.append(value).append(" at '").append(path);
    message.append("' failed to satisfy constraint: ").append(rule);
    return Error::api(Code::invalid_argument, "ValidationException", std::move(message));
}

std::string joined(std::string_view path, std::string_view name) {
    std::string whole(path);
    whole += path.empty() ? "" : ".";
    return whole.append(name);
}

class Reader {
  public:
    static Status structure(const Json& object, const std::string& path, const StructInfo& info,
                            void* into) {
        if (!object.is_object()) {
            return wrong_type(path, "an object");
        }
        for (const auto& entry : object.items()) {
            const std::string& name = entry.key();
            const Json& value = entry.value();
            const auto member =
                std::find_if(info.members.begin(), info.members.end(), [&](const MemberInfo& m) {
                    return m.name == name && m.location == Location::body;
                });
            if (member == info.members.end()) {
                return Error::api(Code::invalid_argument, "ValidationException",
                                  "The parameter " + joined(path, shortened(name, kMaxEcho)) +
                                      " is not recognized");
            }
            if (!value.is_null()) {
                TRY(Reader::value(value, joined(path, name), member->type, member->sensitive,
                                  make_value(*member, into)));
            }
        }
        for (const MemberInfo& member : info.members) {
            if (member.required && presence(member, into) == Presence::absent) {
                return violated("null", joined(path, member.name), "Member must not be null");
            }
        }
        return ok();
    }

  private:
    static Error wrong_type(const std::string& path, std::string_view expected) {
        std::string message = path.empty() ? "The body" : path;
        return serialization(message.append(" must be ").append(expected));
    }

    static Status value(const Json& value, const std::string& path, const TypeInfo& type,
                        bool sensitive, void* into) {
        switch (type.kind) {
            case Kind::structure:
                return structure(value, path, *type.structure, into);
            case Kind::list:
                return list(value, path, *type.list, sensitive, into);
            case Kind::string:
                return string(value, path, type.values, sensitive, into);
            case Kind::integer:
                return integer<std::int32_t>(value, path, into);
            case Kind::long_:
                return integer<std::int64_t>(value, path, into);
            default:
                return other(value, path, type.kind, into);
        }
    }

    static Status list(const Json& value, const std::string& path, const ListInfo& info,
                       bool sensitive, void* into) {
        if (!value.is_array()) {
            return wrong_type(path, "an array");
        }
        info.give(into);
        for (std::size_t i = 0; i < value.size(); ++i) {
            const std::string item = path + '.' + std::to_string(i + 1) + ".member";
            if (value[i].is_null()) {
                return violated("null", item, "Member must not be null");
            }
            TRY(Reader::value(value[i], item, info.item, sensitive, info.append(into)));
        }
        return ok();
    }

    static Status string(const Json& value, const std::string& path, const EnumInfo* allowed,
                         bool sensitive, void* into) {
        if (!value.is_string()) {
            return wrong_type(path, "a string");
        }
        const std::string& text = value.get_ref<const std::string&>();
        if (!is_xml_text(text)) {
            return violated("given", path, "Member must be text without control characters");
        }
        if (allowed != nullptr && std::find(allowed->values.begin(), allowed->values.end(), text) ==
                                      allowed->values.end()) {
            std::string rule = "Member must satisfy enum value set: [";
            for (const std::string_view one : allowed->values) {
                rule.append(rule.back() == '[' ? "" : ", ").append(one);
            }
            const std::string echo =
                sensitive ? "given" : "'" + std::string(shortened(text, kMaxEcho)) + "'";
            return violated(echo, path, rule + "]");
        }
        *static_cast<std::string*>(into) = text;
        return ok();
    }

    template <class T>
    static Status integer(const Json& value, const std::string& path, void* into) {
        const bool too_large =
            value.is_number_unsigned() &&
            value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<T>::max());
        if (!value.is_number_integer() || too_large ||
            value.get<std::int64_t>() < std::numeric_limits<T>::min()) {
            return wrong_type(path, "an integer in range");
        }
        *static_cast<T*>(into) = static_cast<T>(value.get<std::int64_t>());
        return ok();
    }

    static Status other(const Json& value, const std::string& path, Kind kind, void* into) {
        if (kind == Kind::boolean) {
            if (!value.is_boolean()) {
                return wrong_type(path, "true or false");
            }
            *static_cast<bool*>(into) = value.get<bool>();
            return ok();
        }
        if (kind == Kind::blob) {
            auto bytes = value.is_string()
                             ? base64_decode(value.get_ref<const std::string&>())
                             : Result<Bytes>(Error(Code::invalid_argument, "no text"));
            if (!bytes) {
                return wrong_type(path, "Base64");
            }
            *static_cast<Bytes*>(into) = std::move(*bytes);
            return ok();
        }
        if (!value.is_number() || !std::isfinite(value.get<double>())) {
            return wrong_type(path, "a number");
        }
        const double number = value.get<double>();
        if (kind == Kind::double_) {
            *static_cast<double*>(into) = number;
            return ok();
        }
        if (number < 0 || number > kMaxSeconds) {
            return wrong_type(path, "a time in seconds since 1970");
        }
        *static_cast<UnixMillis*>(into) =
            UnixMillis{static_cast<std::int64_t>(std::llround(number * 1000))};
        return ok();
    }
};

// Whether "" says something a reader takes: a text of a closed set of values has no empty one.
bool keeps_empty(const TypeInfo& type) {
    return type.kind == Kind::list || (type.kind == Kind::string && type.values == nullptr);
}

enum class Empty { write, leave_out };
Json to_json(const TypeInfo& type, const void* value, Empty empty);

Json members_of(const StructInfo& info, const void* object, Empty empty) {
    Json out = Json::object();
    for (const MemberInfo& member : info.members) {
        if (member.location != Location::body) {
            continue;
        }
        switch (presence(member, object)) {
            case Presence::absent:
                break;
            case Presence::empty:
                if (empty == Empty::leave_out && !keeps_empty(member.type)) {
                    break;
                }
                out[std::string(member.name)] =
                    member.type.kind == Kind::list ? Json::array() : Json("");
                break;
            case Presence::set:
                out[std::string(member.name)] =
                    to_json(member.type, value_of(member, object), empty);
        }
    }
    return out;
}

Json to_json(const TypeInfo& type, const void* value, Empty empty) {
    switch (type.kind) {
        case Kind::string:
            return *static_cast<const std::string*>(value);
        case Kind::integer:
            return *static_cast<const std::int32_t*>(value);
        case Kind::long_:
            return *static_cast<const std::int64_t*>(value);
        case Kind::double_:
            return *static_cast<const double*>(value);
        case Kind::boolean:
            return *static_cast<const bool*>(value);
        case Kind::timestamp:
            return static_cast<double>(static_cast<const UnixMillis*>(value)->value) / 1000.0;
        case Kind::blob:
            return base64_encode(*static_cast<const Bytes*>(value));
        case Kind::structure:
            return members_of(*type.structure, value, empty);
        case Kind::list:
            break;
    }
    Json items = Json::array();
    for (std::size_t i = 0; i < type.list->size(value); ++i) {
        items.push_back(to_json(type.list->item, type.list->at(value, i), empty));
    }
    return items;
}

std::string text_of(const Json& json) {
    // Bytes that are no UTF-8 become U+FFFD, as in XML.
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Status parse_json_request(const OperationInfo& operation, std::string_view body, void* request) {
    const Json document = Json::parse(body.empty() ? "{}" : body, nullptr, false);
    if (document.is_discarded()) {
        return serialization("The body is not JSON");
    }
    return Reader::structure(document, {}, *operation.request, request);
}

std::string write_json_response(const OperationInfo& operation, const void* response) {
    return operation.response == nullptr
               ? "{}"
               : text_of(members_of(*operation.response, response, Empty::write));
}

std::string write_json(const StructInfo& info, const void* object) {
    return text_of(members_of(info, object, Empty::leave_out));
}

Status parse_json(const StructInfo& info, std::string_view text, void* object) {
    const Json document = Json::parse(text, nullptr, false);
    const Status read = document.is_discarded()
                            ? Status(Error(Code::data_loss, "the text is not JSON"))
                            : Reader::structure(document, {}, info, object);
    if (!read) {
        return Error(Code::data_loss,
                     std::string(info.name) + " is not readable: " + read.error().message());
    }
    return ok();
}

std::string write_json_error(const WireError& error) {
    return text_of(Json{{"__type", error.code}, {"message", error.message}});
}

}  // namespace kiln::api
