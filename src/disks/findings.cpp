// SPDX-License-Identifier: Apache-2.0
// The reader's answer as JSON, both ways.
#include <nlohmann/json.hpp>

#include "disks/file_system.h"

namespace kiln::disks {
namespace {

using nlohmann::json;

// A type, a flag, and five texts for each of 128 partitions are less.
constexpr std::size_t kMaxAnswer = 256U << 10;

json encode(const FileSystemFindings& one) {
    json out{{"type", one.file_system.type},
             {"label", one.file_system.label},
             {"read", one.read},
             {"whyNot", one.why_not}};
    if (one.system) {
        out["system"] = {{"id", one.system->id},
                         {"version", one.system->version},
                         {"name", one.system->name},
                         {"architecture", one.system->architecture},
                         {"cloudInit", one.system->cloud_init}};
    }
    return out;
}

// Reads one object: everything that is wanted has to be there, in the right type, and no more.
class Fields {
  public:
    explicit Fields(const json& object) : object_(object) {}
    std::string text(const char* name) {
        const json* value = find(name);
        if (value == nullptr || !value->is_string()) {
            good_ = false;
            return {};
        }
        return printable(value->get_ref<const std::string&>());
    }
    bool flag(const char* name) {
        const json* value = find(name);
        good_ = good_ && value != nullptr && value->is_boolean();
        return good_ && value->get<bool>();
    }
    const json* optional_object(const char* name) {
        if (!object_.is_object() || !object_.contains(name)) {
            return nullptr;
        }
        return find(name);
    }
    bool complete() const { return good_ && taken_ == object_.size(); }

  private:
    const json* find(const char* name) {
        if (!object_.is_object()) {
            return nullptr;
        }
        const auto at = object_.find(name);
        taken_ += at == object_.end() ? 0 : 1;
        return at == object_.end() ? nullptr : &*at;
    }
    const json& object_;
    bool good_ = true;
    std::size_t taken_ = 0;
};

std::optional<System> decode_system(const json& object) {
    Fields fields(object);
    System system;
    system.id = fields.text("id");
    system.version = fields.text("version");
    system.name = fields.text("name");
    system.architecture = fields.text("architecture");
    system.cloud_init = fields.flag("cloudInit");
    return fields.complete() ? std::optional(system) : std::nullopt;
}

std::optional<FileSystemFindings> decode(const json& object) {
    Fields fields(object);
    FileSystemFindings one;
    one.file_system.type = fields.text("type");
    one.file_system.label = fields.text("label");
    one.read = fields.flag("read");
    one.why_not = fields.text("whyNot");
    if (const json* system = fields.optional_object("system"); system != nullptr) {
        one.system = decode_system(*system);
        if (!one.system) {
            return std::nullopt;
        }
    }
    return fields.complete() ? std::optional(one) : std::nullopt;
}

Error no_findings() {
    return Error(Code::invalid_argument, "the reader's answer makes no sense");
}

}  // namespace

std::string encode_findings(const std::vector<FileSystemFindings>& findings) {
    json out = json::array();
    for (const FileSystemFindings& one : findings) {
        out.push_back(encode(one));
    }
    return out.dump();
}

Result<std::vector<FileSystemFindings>> decode_findings(std::string_view text, std::size_t count) {
    if (text.size() > kMaxAnswer) {
        return no_findings();
    }
    const json document = json::parse(text, nullptr, false);
    if (!document.is_array() || document.size() != count) {
        return no_findings();
    }
    std::vector<FileSystemFindings> findings;
    for (const json& object : document) {
        const auto one = decode(object);
        if (!one) {
            return no_findings();
        }
        findings.push_back(*one);
    }
    return findings;
}

}  // namespace kiln::disks
