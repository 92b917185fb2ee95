// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "compute/network/config.h"

namespace kiln::compute {
namespace {

using Json = nlohmann::json;

constexpr unsigned kConfigVersion = 1;

Json encode_rules(const std::vector<TrafficRule>& rules) {
    Json list = Json::array();
    for (const auto& rule : rules) {
        Json entry{{"protocol", rule.protocol},
                   {"from", rule.from},
                   {"to", rule.to},
                   {"peer", rule.peer.text()}};
        if (!rule.group.empty()) {
            entry["group"] = rule.group;
        }
        list.push_back(std::move(entry));
    }
    return list;
}

// Reads members and latches the first one that is missing or of the wrong kind.
class Fields {
  public:
    explicit Fields(const Json& json) : json_(json) {}

    const Json* find(const char* key, Json::value_t kind) {
        const auto found = json_.find(key);
        // A non-negative number is `unsigned` when parsed; it serves as `integer` too.
        const bool good = found != json_.end() &&
                          (found->type() == kind ||
                           (kind == Json::value_t::number_integer && found->is_number_integer()));
        if (!good) {
            fail(key);
            return nullptr;
        }
        return &*found;
    }
    std::string text(const char* key) {
        const Json* member = find(key, Json::value_t::string);
        return member ? member->get<std::string>() : std::string();
    }
    std::int64_t number(const char* key, std::int64_t low, std::int64_t high) {
        const Json* member = find(key, Json::value_t::number_integer);
        if (!member || (member->is_number_unsigned() &&
                        member->get<std::uint64_t>() > static_cast<std::uint64_t>(high))) {
            fail(key);
            return low;
        }
        const auto value = member->get<std::int64_t>();
        if (value < low || value > high) {
            fail(key);
            return low;
        }
        return value;
    }
    bool flag(const char* key) {
        const Json* member = find(key, Json::value_t::boolean);
        return member && member->get<bool>();
    }
    template <class T>
    T parsed(const char* key) {
        auto value = T::parse(text(key));
        if (!value) {
            fail(key);
            return T{};
        }
        return *value;
    }
    // Calls `take` with each element, as long as all is well.
    template <class Take>
    void each(const char* key, std::size_t limit, Take take) {
        const Json* member = find(key, Json::value_t::array);
        if (!member) {
            return;
        }
        if (member->size() > limit) {
            fail(key);
            return;
        }
        for (const Json& item : *member) {
            if (!take(item)) {
                fail(key);
                return;
            }
        }
    }
    bool has(const char* key) const { return json_.contains(key); }
    void fail(const char* key) {
        if (bad_.empty()) {
            bad_ = key;
        }
    }
    const std::string& bad() const { return bad_; }

  private:
    const Json& json_;
    std::string bad_;
};

std::vector<TrafficRule> decode_rules(Fields& fields, const char* key) {
    std::vector<TrafficRule> rules;
    fields.each(key, kMaxTrafficRules, [&](const Json& item) {
        if (!item.is_object()) {
            return false;
        }
        Fields member(item);
        TrafficRule rule;
        rule.protocol = static_cast<int>(member.number("protocol", -1, 255));
        rule.from = static_cast<int>(member.number("from", -1, 65535));
        rule.to = static_cast<int>(member.number("to", -1, 65535));
        rule.peer = member.parsed<Cidr>("peer");
        if (member.has("group")) {
            rule.group = member.text("group");
            if (rule.group.empty()) {
                member.fail("group");
            }
        }
        rules.push_back(rule);
        return member.bad().empty();
    });
    return rules;
}

GuestNetworkRules decode_live_rules(Fields& fields) {
    GuestNetworkRules rules;
    rules.ingress = decode_rules(fields, "ingress");
    rules.egress = decode_rules(fields, "egress");
    rules.metadata_enabled = fields.flag("metadata_enabled");
    rules.metadata_hop_limit = static_cast<unsigned>(fields.number("metadata_hop_limit", 1, 64));
    if (fields.has("public_address")) {
        rules.public_address = fields.parsed<Ipv4>("public_address");
    }
    fields.each("blocked", kMaxBlockedNetworks, [&](const Json& item) {
        const auto cidr = item.is_string() ? Cidr::parse(item.get_ref<const std::string&>())
                                           : Result<Cidr>(Error(Code::invalid_argument, ""));
        if (cidr) {
            rules.blocked.push_back(*cidr);
        }
        return cidr.has_value();
    });
    return rules;
}

GuestNetworkSpec decode_spec(Fields& fields) {
    GuestNetworkSpec spec;
    spec.id = MachineId(fields.text("id"));
    spec.mac = fields.parsed<Mac>("mac");
    spec.address = fields.parsed<Ipv4>("address");
    spec.subnet = fields.parsed<Cidr>("subnet");
    spec.network = fields.parsed<Cidr>("network");
    spec.router = fields.parsed<Ipv4>("router");
    spec.dns = fields.parsed<Ipv4>("dns");
    spec.hostname = fields.text("hostname");
    spec.domain = fields.text("domain");
    spec.nic_socket = fields.text("nic_socket");
    spec.metadata_socket = fields.text("metadata_socket");
    if (fields.has("api_socket")) {
        spec.api_socket = fields.text("api_socket");
    }
    spec.directory = fields.text("directory");
    spec.runtime_directory = fields.text("runtime_directory");
    if (fields.has("neighbours_file")) {
        spec.neighbours_file = fields.text("neighbours_file");
    }
    if (const Json* tunnel =
            fields.has("tunnel") ? fields.find("tunnel", Json::value_t::object) : nullptr) {
        Fields member(*tunnel);
        spec.tunnel = {member.parsed<Ipv4>("address"), member.parsed<Ipv4>("host")};
        if (!member.bad().empty()) {
            fields.fail("tunnel");
        }
    }
    spec.rules = decode_live_rules(fields);
    return spec;
}

}  // namespace

std::string encode_guest_network_config(const GuestNetworkConfig& config) {
    const GuestNetworkSpec& spec = config.spec;
    const GuestNetworkRules& rules = spec.rules;
    Json json{{"version", kConfigVersion},
              {"id", spec.id.str()},
              {"mac", spec.mac.text()},
              {"address", spec.address.text()},
              {"subnet", spec.subnet.text()},
              {"network", spec.network.text()},
              {"router", spec.router.text()},
              {"dns", spec.dns.text()},
              {"hostname", spec.hostname},
              {"domain", spec.domain},
              {"nic_socket", spec.nic_socket},
              {"metadata_socket", spec.metadata_socket},
              {"directory", spec.directory},
              {"runtime_directory", spec.runtime_directory},
              {"ingress", encode_rules(rules.ingress)},
              {"egress", encode_rules(rules.egress)},
              {"metadata_enabled", rules.metadata_enabled},
              {"metadata_hop_limit", rules.metadata_hop_limit},
              {"blocked", Json::array()},
              {"forwards", config.forwards}};
    for (const auto& cidr : rules.blocked) {
        json["blocked"].push_back(cidr.text());
    }
    if (rules.public_address) {
        json["public_address"] = rules.public_address->text();
    }
    if (!spec.api_socket.empty()) {
        json["api_socket"] = spec.api_socket;
    }
    if (!spec.neighbours_file.empty()) {
        json["neighbours_file"] = spec.neighbours_file;
    }
    if (spec.tunnel) {
        json["tunnel"] = {{"address", spec.tunnel->address.text()},
                          {"host", spec.tunnel->host.text()}};
    }
    if (config.user) {
        json["user"] = *config.user;
    }
    return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<GuestNetworkConfig> decode_guest_network_config(std::string_view text) {
    if (text.size() > kMaxGuestNetworkConfigBytes) {
        return Error(Code::invalid_argument, "guest network configuration is too long");
    }
    const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) {
        return Error(Code::invalid_argument, "guest network configuration is no JSON object");
    }
    Fields fields(json);
    if (fields.number("version", 0, 1U << 30) != kConfigVersion) {
        return Error(Code::unsupported, "guest network configuration has an unknown version");
    }
    GuestNetworkConfig config;
    config.spec = decode_spec(fields);
    fields.each("forwards", kMaxForwards, [&](const Json& item) {
        const bool good =
            item.is_number_unsigned() && item.get<std::uint64_t>() > 0 &&
            item.get<std::uint64_t>() <= 65535 &&
            (config.forwards.empty() || config.forwards.back() < item.get<std::uint64_t>());
        if (good) {
            config.forwards.push_back(item.get<std::uint16_t>());
        }
        return good;
    });
    if (fields.has("user")) {
        config.user = static_cast<uid_t>(fields.number("user", 1, 0xfffffffe));
    }
    if (!fields.bad().empty()) {
        return Error(Code::invalid_argument,
                     "guest network configuration: missing or wrong: " + fields.bad());
    }
    TRY(check_guest_network(config.spec));
    return config;
}

}  // namespace kiln::compute
