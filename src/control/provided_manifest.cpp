// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "control/images.h"
#include "control/provided_images.h"

namespace kiln::control {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxText = 255;  // as of an image's description

Error wrong(std::string_view member, std::string_view what) {
    return Error(Code::invalid_argument, fmt::format("{}: {}", member, what));
}

Status take_text(const json& value, std::string_view member, std::string& into) {
    if (!value.is_string() || value.get_ref<const std::string&>().size() > kMaxText) {
        return wrong(member, "is to be a text of at most 255 bytes");
    }
    into = value.get<std::string>();
    return ok();
}

template <class E>
Result<E> parse_enum(const std::string& text, std::string_view member) {
    const auto value = model::parse<E>(text);
    return value ? Result<E>(*value) : Result<E>(wrong(member, "is none of the values known"));
}

// A file of the manifest's own directory.
bool is_file_name(const std::string& name) {
    return !name.empty() && name.find('/') == name.npos && name != "." && name != ".." &&
           name.find('\0') == name.npos;
}

Status take_member(const std::string& name, const json& value, ProvidedImage& image) {
    std::string text;
    TRY(take_text(value, name, text));
    if (name == "name") {
        image.name = text;
    } else if (name == "version") {
        image.version = text;
    } else if (name == "description") {
        image.description = text;
    } else if (name == "disk") {
        image.disk = text;
    } else if (name == "root_device_name") {
        image.root_device_name = text;
    } else if (name == "parameter") {
        image.parameter = text;
    } else if (name == "architecture") {
        TRY_ASSIGN(image.architecture, parse_enum<model::Architecture>(text, name));
    } else if (name == "boot_mode") {
        TRY_ASSIGN(image.boot_mode, parse_enum<model::BootMode>(text, name));
    } else {
        return wrong(name, "is not known here");
    }
    return ok();
}

}  // namespace

bool is_public_parameter_name(std::string_view name) {
    constexpr std::string_view kPrefix = "/aws/service/";
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '/' || c == '-' || c == '_' || c == '.';
    };
    return name.size() <= kMaxText && name.starts_with(kPrefix) && name.size() > kPrefix.size() &&
           !name.ends_with('/') && name.find("//") == name.npos &&
           std::all_of(name.begin(), name.end(), fits);
}

Result<ProvidedImage> parse_provided_image(std::string_view text) {
    const json document = json::parse(text, nullptr, false);
    if (!document.is_object()) {
        return Error(Code::invalid_argument, "the manifest is no JSON object");
    }
    ProvidedImage image;
    image.root_device_name = "/dev/xvda";
    for (const auto& [name, value] : document.items()) {
        TRY(take_member(name, value, image));
    }
    if (const Status named = Images::check_name(image.name + "-" + image.version);
        !named || image.name.empty() || image.version.empty()) {
        return wrong("name, version", "are to be a name of an image together");
    }
    if (!is_file_name(image.disk)) {
        return wrong("disk", "is to be the name of a file beside the manifest");
    }
    if (!is_public_parameter_name(image.parameter)) {
        return wrong("parameter", "is to be a name below /aws/service/");
    }
    return image;
}

}  // namespace kiln::control
