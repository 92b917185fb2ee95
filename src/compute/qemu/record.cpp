// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/record.h"

#include <nlohmann/json.hpp>

#include "util/crc32c.h"

namespace kiln::compute {
namespace {

using Json = nlohmann::json;

constexpr unsigned kRecordVersion = 2;
constexpr std::size_t kMaxRecordBytes = 64U << 10;

std::string record_path(const std::string& directory) {
    return directory + "/machine.json";
}

// Reads members and latches the first one that is missing or of the wrong kind.
class Fields {
  public:
    explicit Fields(const Json& json) : json_(json) {}
    std::string text(const char* key) {
        const Json* member = find(key);
        return member && take(member->is_string()) ? member->get<std::string>() : std::string();
    }
    std::uint64_t number(const char* key) {
        const Json* member = find(key);
        return member && take(member->is_number_unsigned()) ? member->get<std::uint64_t>() : 0;
    }
    std::map<std::string, std::string> texts(const char* key) {
        std::map<std::string, std::string> out;
        const Json* member = find(key);
        if (!member || !take(member->is_object())) {
            return out;
        }
        for (const auto& [name, item] : member->items()) {
            if (take(item.is_string())) {
                out.emplace(name, item.get<std::string>());
            }
        }
        return out;
    }
    bool has(const char* key) const { return json_.contains(key); }
    bool ok() const { return ok_; }

  private:
    const Json* find(const char* key) {
        const auto found = json_.find(key);
        return take(found != json_.end()) ? &*found : nullptr;
    }
    bool take(bool good) {
        ok_ = ok_ && good;
        return good;
    }
    const Json& json_;
    bool ok_ = true;
};

}  // namespace

std::string qmp_path(const std::string& runtime_directory) {
    return runtime_directory + "/qmp.sock";
}
std::string qmp_spare_path(const std::string& runtime_directory) {
    return runtime_directory + "/qmp2.sock";
}
std::string agent_path(const std::string& runtime_directory) {
    return runtime_directory + "/agent.sock";
}
std::string serial_path(const std::string& runtime_directory) {
    return runtime_directory + "/serial.sock";
}

std::uint32_t hash_argv(const std::vector<std::string>& args) {
    std::uint32_t hash = 0;
    for (const auto& arg : args) {
        hash = crc32c({reinterpret_cast<const std::uint8_t*>(arg.c_str()), arg.size() + 1}, hash);
    }
    return hash;
}

std::uint32_t hash_argv_text(std::string_view command_line) {
    return crc32c(as_bytes(command_line));
}

std::string encode_record(const RuntimeRecord& record) {
    Json json{{"version", kRecordVersion},
              {"id", record.id.str()},
              {"generation", record.generation},
              {"pid", static_cast<std::uint64_t>(record.process.pid)},
              {"start_time", record.process.start_time},
              {"boot_id", record.process.boot_id},
              {"argv_hash", record.argv_hash},
              {"accelerator", record.accelerator == Accelerator::kvm ? "kvm" : "tcg"},
              {"runtime_directory", record.runtime_directory},
              {"serial_log", record.serial_log},
              {"disk_sockets", record.disk_sockets}};
    if (record.user) {
        json["user"] = *record.user;
    }
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<RuntimeRecord> decode_record(std::string_view text) {
    const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) {
        return Error(Code::data_loss, "runtime record is not a JSON object");
    }
    Fields fields(json);
    if (fields.number("version") != kRecordVersion) {
        return Error(Code::data_loss, "runtime record has an unknown version");
    }
    RuntimeRecord record;
    record.id = MachineId(fields.text("id"));
    record.generation = fields.number("generation");
    const std::uint64_t pid = fields.number("pid");
    record.process.pid = static_cast<pid_t>(pid);
    record.process.start_time = fields.number("start_time");
    record.process.boot_id = fields.text("boot_id");
    record.argv_hash = static_cast<std::uint32_t>(fields.number("argv_hash"));
    record.accelerator = fields.text("accelerator") == "kvm" ? Accelerator::kvm : Accelerator::tcg;
    record.runtime_directory = fields.text("runtime_directory");
    record.serial_log = fields.text("serial_log");
    record.disk_sockets = fields.texts("disk_sockets");
    if (fields.has("user")) {
        record.user = static_cast<uid_t>(fields.number("user"));
    }
    // pid 0 and 1 and what does not fit a pid_t can never be ours: we will send it signals.
    if (!fields.ok() || pid < 2 || pid > 0x7fffffff) {
        return Error(Code::data_loss, "runtime record has missing or wrong members");
    }
    return record;
}

Status write_record(const std::string& directory, const RuntimeRecord& record) {
    return write_file_atomic(record_path(directory), encode_record(record), 0600);
}

Result<std::optional<RuntimeRecord>> read_record(const std::string& directory) {
    const auto text = read_file(record_path(directory), kMaxRecordBytes);
    if (!text && text.error().code() == Code::not_found) {
        return std::optional<RuntimeRecord>();
    }
    if (!text) {
        return text.error();
    }
    TRY_ASSIGN(auto record, decode_record(*text), record_path(directory));
    return std::optional<RuntimeRecord>(std::move(record));
}

}  // namespace kiln::compute
