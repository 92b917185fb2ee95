// SPDX-License-Identifier: Apache-2.0
#include "compute/network/neighbours.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "compute/network/config.h"
#include "compute/qemu/unix_socket.h"
#include "util/log.h"

namespace kiln::compute {
namespace {

using Json = nlohmann::json;

constexpr unsigned kVersion = 1;
constexpr std::size_t kMaxIdBytes = 64;

Error malformed(std::string_view what) {
    return Error(Code::invalid_argument, "neighbours: missing or wrong: " + std::string(what));
}

Result<std::string> text_of(const Json& json, const char* key, std::size_t max) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_string()) {
        return malformed(key);
    }
    const auto& text = found->get_ref<const std::string&>();
    if (text.empty() || text.size() > max) {
        return malformed(key);
    }
    return text;
}

Result<std::vector<std::string>> groups_of(const Json& json) {
    const auto found = json.find("groups");
    if (found == json.end() || !found->is_array() || found->size() > kMaxGroupsOfNeighbour) {
        return malformed("groups");
    }
    std::vector<std::string> groups;
    for (const Json& group : *found) {
        if (!group.is_string() || group.get_ref<const std::string&>().size() > kMaxGroupNameBytes) {
            return malformed("groups");
        }
        groups.push_back(group.get<std::string>());
    }
    return groups;
}

Result<Neighbour> decode_neighbour(const Json& json) {
    if (!json.is_object()) {
        return malformed("neighbours");
    }
    Neighbour out;
    TRY_ASSIGN(std::string id, text_of(json, "id", kMaxIdBytes));
    out.id = MachineId(std::move(id));
    TRY_ASSIGN(const std::string address, text_of(json, "address", kMaxIdBytes));
    TRY_ASSIGN(out.address, Ipv4::parse(address));
    TRY_ASSIGN(const std::string mac, text_of(json, "mac", kMaxIdBytes));
    TRY_ASSIGN(out.mac, Mac::parse(mac));
    TRY_ASSIGN(out.socket, text_of(json, "socket", kMaxSocketPathBytes));
    TRY_ASSIGN(out.groups, groups_of(json));
    if (const auto user = json.find("user"); user != json.end()) {
        if (!user->is_number_unsigned() || user->get<std::uint64_t>() >= 0xffffffff) {
            return malformed("user");
        }
        out.user = user->get<uid_t>();
    }
    return out;
}

}  // namespace

Neighbours::Neighbours(std::vector<Neighbour> list) {
    for (Neighbour& neighbour : list) {
        const Ipv4 address = neighbour.address;
        by_address_.insert_or_assign(address, std::move(neighbour));
    }
}

const Neighbour* Neighbours::find(Ipv4 address) const {
    const auto found = by_address_.find(address);
    return found == by_address_.end() ? nullptr : &found->second;
}

bool Neighbours::is_member(const std::string& group, Ipv4 address) const {
    const Neighbour* found = find(address);
    return found != nullptr &&
           std::find(found->groups.begin(), found->groups.end(), group) != found->groups.end();
}

bool Neighbours::has_user(uid_t user) const {
    return std::any_of(by_address_.begin(), by_address_.end(),
                       [user](const auto& entry) { return entry.second.user == user; });
}

std::string encode_neighbours(const std::vector<Neighbour>& neighbours) {
    Json list = Json::array();
    for (const Neighbour& neighbour : neighbours) {
        Json entry{{"id", neighbour.id.str()},
                   {"address", neighbour.address.text()},
                   {"mac", neighbour.mac.text()},
                   {"socket", neighbour.socket},
                   {"groups", neighbour.groups}};
        if (neighbour.user) {
            entry["user"] = *neighbour.user;
        }
        list.push_back(std::move(entry));
    }
    const Json json{{"version", kVersion}, {"neighbours", std::move(list)}};
    return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::vector<Neighbour>> decode_neighbours(std::string_view text) {
    if (text.size() > kMaxNeighboursBytes) {
        return malformed("length");
    }
    const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) {
        return Error(Code::invalid_argument, "neighbours: no JSON object");
    }
    const auto version = json.find("version");
    if (version == json.end() || *version != kVersion) {
        return Error(Code::unsupported, "neighbours: unknown version");
    }
    const auto list = json.find("neighbours");
    if (list == json.end() || !list->is_array() || list->size() > kMaxNeighbours) {
        return malformed("neighbours");
    }
    std::vector<Neighbour> neighbours;
    for (const Json& entry : *list) {
        TRY_ASSIGN(Neighbour neighbour, decode_neighbour(entry));
        neighbours.push_back(std::move(neighbour));
    }
    return neighbours;
}

Status write_neighbours(const std::string& path, const std::vector<Neighbour>& neighbours) {
    if (neighbours.empty()) {
        return remove_file(path);
    }
    if (neighbours.size() > kMaxNeighbours) {
        return Error(Code::resource_exhausted, "more instances in one VPC than can be neighbours");
    }
    const std::string text = encode_neighbours(neighbours);
    if (const auto old = read_file(path, kMaxNeighboursBytes); old && *old == text) {
        return ok();
    }
    // In place only when every user can read it, whatever the umask is.
    const std::string next = path + ".next";
    TRY(write_file_atomic(next, text, 0644));
    if (::chmod(next.c_str(), 0644) != 0 || ::rename(next.c_str(), path.c_str()) != 0) {
        return Error::from_errno(errno, "write " + path);
    }
    return ok();
}

std::optional<Neighbours> NeighbourFile::changed() {
    struct stat now {};
    if (path_.empty() || ::stat(path_.c_str(), &now) != 0) {
        const bool gone = held_ && errno == ENOENT;
        if (gone) {
            held_.reset();
        }
        return gone ? std::optional(Neighbours()) : std::nullopt;
    }
    struct stat held {};
    if (held_ && ::fstat(held_.get(), &held) == 0 && held.st_ino == now.st_ino &&
        held.st_dev == now.st_dev) {
        return std::nullopt;
    }
    held_.reset(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!held_) {
        return std::nullopt;  // replaced meanwhile, or no descriptor is left: next time
    }
    auto neighbours = read();
    if (!neighbours) {
        log_error("network", path_ + ": " + neighbours.error().to_string());
        return std::nullopt;
    }
    return std::move(*neighbours);
}

Result<Neighbours> NeighbourFile::read() {
    std::string text;
    char buffer[16384];
    ssize_t n = 0;
    while ((n = ::read(held_.get(), buffer, sizeof buffer)) > 0) {
        text.append(buffer, static_cast<std::size_t>(n));
        if (text.size() > kMaxNeighboursBytes) {
            return malformed("length");
        }
    }
    if (n < 0) {
        return Error::from_errno(errno, "read");
    }
    TRY_ASSIGN(auto list, decode_neighbours(text));
    return Neighbours(std::move(list));
}

}  // namespace kiln::compute
