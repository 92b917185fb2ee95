// SPDX-License-Identifier: Apache-2.0
#include "compute/network/record.h"

#include <nlohmann/json.hpp>

namespace kiln::compute {
namespace {

using Json = nlohmann::json;

constexpr unsigned kRecordVersion = 1;
constexpr std::size_t kMaxRecordBytes = 64U << 10;

std::string record_path(const std::string& directory) {
    return directory + "/network-process.json";
}

std::optional<std::uint64_t> number(const Json& json, const char* key, std::uint64_t max) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_number_unsigned() || found->get<std::uint64_t>() > max) {
        return std::nullopt;
    }
    return found->get<std::uint64_t>();
}

std::optional<std::string> text(const Json& json, const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? std::optional(found->get<std::string>())
                                                     : std::nullopt;
}

}  // namespace

std::string encode_network_record(const NetworkRecord& record) {
    const Json json{{"version", kRecordVersion},
                    {"id", record.id.str()},
                    {"pid", static_cast<std::uint64_t>(record.process.pid)},
                    {"start_time", record.process.start_time},
                    {"boot_id", record.process.boot_id},
                    {"argv_hash", record.argv_hash},
                    {"runtime_directory", record.runtime_directory}};
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<NetworkRecord> decode_network_record(std::string_view encoded) {
    const Json json = Json::parse(encoded, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || number(json, "version", ~0U) != kRecordVersion) {
        return Error(Code::data_loss, "network record is of no known version");
    }
    const auto id = text(json, "id");
    const auto boot_id = text(json, "boot_id");
    const auto runtime_directory = text(json, "runtime_directory");
    const auto pid = number(json, "pid", 0x7fffffff);
    const auto start_time = number(json, "start_time", ~std::uint64_t{0});
    const auto argv_hash = number(json, "argv_hash", ~0U);
    // pid 0 and 1 can never be ours: we will send it signals.
    if (!id || !boot_id || !runtime_directory || !pid || *pid < 2 || !start_time || !argv_hash) {
        return Error(Code::data_loss, "network record has missing or wrong members");
    }
    NetworkRecord record;
    record.id = MachineId(*id);
    record.process = {static_cast<pid_t>(*pid), *start_time, *boot_id};
    record.argv_hash = static_cast<std::uint32_t>(*argv_hash);
    record.runtime_directory = *runtime_directory;
    return record;
}

Status write_network_record(const std::string& directory, const NetworkRecord& record) {
    return write_file_atomic(record_path(directory), encode_network_record(record), 0600);
}

Result<std::optional<NetworkRecord>> read_network_record(const std::string& directory) {
    const auto encoded = read_file(record_path(directory), kMaxRecordBytes);
    if (!encoded && encoded.error().code() == Code::not_found) {
        return std::optional<NetworkRecord>();
    }
    if (!encoded) {
        return encoded.error();
    }
    TRY_ASSIGN(auto record, decode_network_record(*encoded), record_path(directory));
    return std::optional<NetworkRecord>(std::move(record));
}

Status remove_network_record(const std::string& directory) {
    return remove_file(record_path(directory));
}

}  // namespace kiln::compute
