// SPDX-License-Identifier: Apache-2.0
#include "api/kiln/import_request.h"

#include <fmt/format.h>

#include "api/kiln/query.h"
#include "control/api_errors.h"
#include "util/strings.h"

namespace kiln::api {
namespace {

// What an import says of its image beyond a RegisterImage.
Status take_import_only(Query& query, control::RegisterImageInput& image) {
    const std::string platform = take(query, "platform", "linux");
    image.windows = platform == "windows";
    if (!image.windows && platform != "linux") {
        return control::errors::invalid_parameter_value(
            fmt::format("Invalid value '{}' for platform; it is linux or windows.", platform));
    }
    const std::string shared = take(query, "public", "false");
    image.everybody = shared == "true";
    if (!image.everybody && shared != "false") {
        return control::errors::invalid_parameter_value(
            fmt::format("Invalid value '{}' for public; it is true or false.", shared));
    }
    image.public_parameter = take(query, "parameter");
    if (query.contains("image-id")) {
        const std::string id = take(query, "image-id");
        TRY_ASSIGN(image.id, model::parse_image_id(id));
        if (!id.starts_with("ami-")) {
            return Error::api(Code::invalid_argument, "InvalidAMIID.Malformed",
                              fmt::format("Invalid id: \"{}\" (expecting \"ami-...\")", id));
        }
    }
    return ok();
}

}  // namespace

Result<ImportRequest> parse_import(std::string_view text) {
    TRY_ASSIGN(Query query, parse_query(text));
    ImportRequest request;
    control::ImportInput& input = request.input;
    input.image.name = take(query, "name");
    input.image.description = take(query, "description");
    TRY_ASSIGN(input.image.architecture,
               take_enum(query, "architecture", model::Architecture::x86_64));
    TRY_ASSIGN(input.image.virtualization_type,
               take_enum(query, "virtualization-type", model::VirtualizationType::hvm));
    if (query.contains("boot-mode")) {
        TRY_ASSIGN(input.image.boot_mode,
                   take_enum(query, "boot-mode", model::BootMode::legacy_bios));
    }
    input.image.root_device_name = take(query, "root-device-name", "/dev/xvda");
    input.image.ena_support = input.image.virtualization_type == model::VirtualizationType::hvm;
    TRY(take_import_only(query, input.image));
    const auto size = parse_int<std::uint64_t>(take(query, "size"));
    if (!size) {
        return control::errors::missing_parameter("size");
    }
    input.size_bytes = *size;
    const std::string encoding = take(query, "encoding", "raw");
    request.extents = encoding == "extents";
    if (!request.extents && encoding != "raw") {
        return control::errors::invalid_parameter_value(
            fmt::format("Invalid value '{}' for encoding; it is raw or extents.", encoding));
    }
    if (!query.empty()) {
        return Error::api(Code::invalid_argument, "UnknownParameter",
                          "The parameter " + query.begin()->first + " is not recognized");
    }
    return request;
}

}  // namespace kiln::api
