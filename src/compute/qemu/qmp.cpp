// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/qmp.h"

#include <nlohmann/json.hpp>

#include "util/check.h"

namespace kiln::compute {
namespace {

using Json = nlohmann::json;

Error malformed(std::string_view why) {
    return Error(Code::data_loss, "QMP: " + std::string(why));
}

void keep_labelled_flags(const Json& list, QmpMessage& message) {
    for (const Json& entry : list) {
        const auto label = entry.is_object() ? entry.find("label") : entry.end();
        if (!entry.is_object() || label == entry.end() || !label->is_string()) {
            continue;
        }
        for (const auto& [key, value] : entry.items()) {
            if (value.is_boolean()) {
                message.flags.emplace(label->get<std::string>() + "/" + key, value.get<bool>());
            }
        }
    }
}

void keep_scalars(const Json& object, QmpMessage& message) {
    if (object.is_array()) {
        keep_labelled_flags(object, message);
    }
    if (!object.is_object()) {
        return;
    }
    for (const auto& [key, value] : object.items()) {
        if (value.is_string()) {
            message.strings.emplace(key, value.get<std::string>());
        } else if (value.is_boolean()) {
            message.flags.emplace(key, value.get<bool>());
        }
    }
}

std::string string_member(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t id_of(const Json& object) {
    const auto found = object.find("id");
    return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

}  // namespace

std::string_view QmpMessage::string(std::string_view member) const {
    const auto found = strings.find(member);
    return found == strings.end() ? std::string_view() : std::string_view(found->second);
}

bool QmpMessage::flag(std::string_view member) const {
    const auto found = flags.find(member);
    return found != flags.end() && found->second;
}

Result<QmpMessage> parse_qmp_line(std::string_view line) {
    if (line.size() > kMaxQmpLineBytes) {
        return malformed("line too long");
    }
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) {
        return malformed("not a JSON object");
    }
    QmpMessage message;
    message.id = id_of(json);
    if (json.contains("QMP")) {
        message.kind = QmpMessage::Kind::greeting;
        return message;
    }
    if (const auto event = json.find("event"); event != json.end() && event->is_string()) {
        message.kind = QmpMessage::Kind::event;
        message.name = event->get<std::string>();
        if (const auto data = json.find("data"); data != json.end()) {
            keep_scalars(*data, message);
        }
        return message;
    }
    if (const auto result = json.find("return"); result != json.end()) {
        message.kind = QmpMessage::Kind::reply;
        keep_scalars(*result, message);
        if (result->is_string()) {
            message.strings.emplace("return", result->get<std::string>());
        }
        return message;
    }
    if (const auto error = json.find("error"); error != json.end() && error->is_object()) {
        message.kind = QmpMessage::Kind::failure;
        message.name = string_member(*error, "class");
        message.description = string_member(*error, "desc");
        return message;
    }
    return malformed("neither greeting, event, return nor error");
}

std::string encode_qmp_command(std::uint64_t id, std::string_view name,
                               std::string_view arguments) {
    Json command = {{"execute", name}, {"id", id}};
    if (!arguments.empty()) {
        command["arguments"] = Json::parse(arguments, nullptr, false);
        INVARIANT(command["arguments"].is_object());
    }
    return command.dump() + "\n";
}

}  // namespace kiln::compute
