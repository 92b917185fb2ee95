// SPDX-License-Identifier: Apache-2.0
#include "control/template_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/api_errors.h"
#include "control/tagging.h"
#include "model/block_device.h"
#include "util/encoding.h"

namespace kiln::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxUserData = 16'384;  // RUN-4
constexpr char kMappings[] = "BlockDeviceMappings";
constexpr char kTags[] = "TagSpecifications";

bool is_list_of_objects(const Json& list) {
    return list.is_array() && std::all_of(list.begin(), list.end(),
                                          [](const Json& entry) { return entry.is_object(); });
}

// The parts that are looked into have their shapes.
bool is_readable(const Json& document) {
    if (!document.is_object()) {
        return false;
    }
    const auto mappings = document.find(kMappings);
    const auto tags = document.find(kTags);
    const auto has_ebs_object = [](const Json& entry) {
        return !entry.contains("Ebs") || entry["Ebs"].is_object();
    };
    const auto has_tag_objects = [](const Json& entry) {
        return !entry.contains("Tags") || is_list_of_objects(entry["Tags"]);
    };
    return (mappings == document.end() ||
            (is_list_of_objects(*mappings) &&
             std::all_of(mappings->begin(), mappings->end(), has_ebs_object))) &&
           (tags == document.end() || (is_list_of_objects(*tags) &&
                                       std::all_of(tags->begin(), tags->end(), has_tag_objects)));
}

Result<Json> parse(const std::string& text) {
    Json document = Json::parse(text, nullptr, false);
    if (!is_readable(document)) {
        return Error(Code::data_loss, "the data of a launch template version is not readable");
    }
    return document;
}

std::string text_at(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json& list_at(Json& object, const char* name) {
    Json& list = object[name];
    if (!list.is_array()) {
        list = Json::array();
    }
    return list;
}

Status check_user_data(const std::string& text) {
    const auto bytes = base64_decode(text);
    if (!bytes) {
        return Error::api(Code::invalid_argument, "InvalidUserData.Malformed",
                          "Invalid BASE64 encoding of user data.");
    }
    if (bytes->size() > kMaxUserData) {
        return errors::invalid_parameter_value(
            fmt::format("User data is limited to {} bytes", kMaxUserData));
    }
    return ok();
}

std::vector<TagSpecification> tags_of(Json& data) {
    std::vector<TagSpecification> specifications;
    if (!data.contains(kTags)) {
        return specifications;
    }
    for (const Json& entry : list_at(data, kTags)) {
        TagSpecification& to = specifications.emplace_back();
        to.resource_type = text_at(entry, "ResourceType");
        const auto tags = entry.find("Tags");
        if (tags == entry.end()) {
            continue;
        }
        for (const Json& tag : *tags) {
            to.tags.push_back({text_at(tag, "Key"), text_at(tag, "Value")});
        }
    }
    return specifications;
}

// BDM-9, and what merge_launch_mappings() does for the image's entry below: a new volume type does
// not take the performance figures of the old one.
void merge_ebs(Json& under, const Json& over) {
    const std::string type = text_at(over, "VolumeType");
    if (!type.empty() && type != text_at(under, "VolumeType")) {
        under.erase("Iops");
        under.erase("Throughput");
    }
    under.update(over);
}

void merge_mapping(Json& mappings, const Json& over) {
    const std::string device = text_at(over, "DeviceName");
    const auto under = std::find_if(mappings.begin(), mappings.end(), [&](const Json& entry) {
        return model::same_device(text_at(entry, "DeviceName"), device);
    });
    if (under == mappings.end()) {
        mappings.push_back(over);
    } else if (over.contains("NoDevice") || !over.contains("Ebs") || !under->contains("Ebs") ||
               under->contains("NoDevice")) {
        *under = over;
    } else {
        merge_ebs((*under)["Ebs"], over["Ebs"]);
    }
}

// LT-6: the request's value for a key is the one that counts.
void merge_tags(Json& specifications, const Json& over) {
    const auto under =
        std::find_if(specifications.begin(), specifications.end(), [&](const Json& entry) {
            return text_at(entry, "ResourceType") == text_at(over, "ResourceType");
        });
    const auto tags = over.find("Tags");
    if (under == specifications.end() || tags == over.end()) {
        specifications.push_back(over);
        return;
    }
    Json& there = list_at(*under, "Tags");
    Json kept = Json::array();
    for (const Json& tag : there) {
        const bool given = std::any_of(tags->begin(), tags->end(), [&](const Json& other) {
            return text_at(other, "Key") == text_at(tag, "Key");
        });
        if (!given) {
            kept.push_back(tag);
        }
    }
    kept.insert(kept.end(), tags->begin(), tags->end());
    there = std::move(kept);
}

// A version's list may name a device or a type once only; of a request's list each entry goes over
// what the version said, never over another entry of the request, so that its own mistakes show.
void merge_list(Json& merged, const Json& request, const char* name,
                void (*merge)(Json& list, const Json& over), const char* key) {
    Json& list = list_at(merged, name);
    std::vector<std::string> seen;
    for (const Json& over : request[name]) {
        const std::string which(model::bare_device_name(text_at(over, key)));
        if (std::find(seen.begin(), seen.end(), which) == seen.end()) {
            merge(list, over);
        } else {
            list.push_back(over);
        }
        seen.push_back(which);
    }
}

// What the template calls otherwise than RunInstances does.
void rename(Json& data, const char* from, const char* to) {
    if (data.contains(from)) {
        Json value = std::move(data[from]);
        data.erase(from);
        data[to] = std::move(value);
    }
}

void collect(const Json& at, const std::vector<std::string>& path, std::size_t depth,
             std::vector<std::string>& values) {
    if (at.is_array()) {
        for (const Json& item : at) {
            collect(item, path, depth, values);
        }
    } else if (depth < path.size()) {
        const auto next = at.is_object() ? at.find(path[depth]) : at.end();
        if (next != at.end()) {
            collect(*next, path, depth + 1, values);
        }
    } else if (at.is_string()) {
        values.push_back(at.get<std::string>());
    } else if (at.is_boolean() || at.is_number_integer()) {
        values.push_back(at.dump());
    }
}

}  // namespace

Status check_template_data(const std::string& data) {
    TRY_ASSIGN(Json document, parse(data));
    if (document.contains("InstanceType") && document.contains("InstanceRequirements")) {
        return errors::invalid_parameter_combination(
            "The parameters InstanceType and InstanceRequirements may not be given together.");
    }
    TRY(check_user_data(text_at(document, "UserData")));
    return check_tag_specifications(
        tags_of(document),
        {"elastic-gpu", "instance", "network-interface", "spot-instances-request", "volume"});
}

Result<std::string> overlay_template(const std::string& source, const std::string& given) {
    TRY_ASSIGN(Json merged, parse(source));
    TRY_ASSIGN(const Json over, parse(given));
    if (merged.contains(kMappings)) {
        for (Json& mapping : list_at(merged, kMappings)) {
            if (mapping.contains("Ebs")) {
                mapping["Ebs"].erase("SnapshotId");
            }
        }
    }
    // The one says what the other would: a new version has the one that was given last.
    if (over.contains("InstanceType")) {
        merged.erase("InstanceRequirements");
    }
    if (over.contains("InstanceRequirements")) {
        merged.erase("InstanceType");
    }
    for (const auto& [name, value] : over.items()) {
        merged[name] = value;
    }
    return merged.dump();
}

Result<std::string> merge_launch(const std::string& from_template, const std::string& request) {
    TRY_ASSIGN(Json merged, parse(from_template));
    TRY_ASSIGN(const Json over, parse(request));
    rename(merged, "RamDiskId", "RamdiskId");
    rename(merged, "ElasticGpuSpecifications", "ElasticGpuSpecification");
    if (over.contains("SecurityGroupIds") || over.contains("SecurityGroups")) {
        merged.erase("SecurityGroupIds");
        merged.erase("SecurityGroups");
    }
    if (over.contains("InstanceType")) {
        merged.erase("InstanceRequirements");
    }
    if (merged.contains("InstanceRequirements")) {
        return errors::unsupported(
            "The parameter InstanceRequirements of the launch template is not built yet. Repeat "
            "the request with an InstanceType.");
    }
    for (const auto& [name, value] : over.items()) {
        if (name == kMappings && merged.contains(name)) {
            merge_list(merged, over, kMappings, merge_mapping, "DeviceName");
        } else if (name == kTags && merged.contains(name)) {
            merge_list(merged, over, kTags, merge_tags, "ResourceType");
        } else {
            merged[name] = value;
        }
    }
    return merged.dump();
}

std::vector<std::string> template_values(const std::string& data,
                                         const std::vector<std::string>& path) {
    std::vector<std::string> values;
    collect(Json::parse(data, nullptr, false), path, 0, values);
    return values;
}

std::string template_image(const std::string& data) {
    const auto values = template_values(data, {"ImageId"});
    return values.empty() ? std::string() : values.front();
}

}  // namespace kiln::control
