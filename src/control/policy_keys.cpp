// SPDX-License-Identifier: Apache-2.0
#include "control/policy_keys.h"

#include <algorithm>
#include <string>

#include "model/cidr.h"
#include "util/strings.h"
#include "util/time.h"

namespace kiln::control {
namespace {

constexpr auto kCall = KeyScope::call;
constexpr auto kOfResource = KeyScope::resource;

constexpr PolicyKey kKeys[] = {
    {"aws:requestedregion", KeyType::text, kCall},
    {"ec2:region", KeyType::text, kCall},
    {"aws:principalaccount", KeyType::text, kCall},
    {"aws:principalarn", KeyType::arn, kCall},
    {"aws:principaltag/", KeyType::text, kCall},
    {"aws:principaltype", KeyType::text, kCall},
    {"aws:userid", KeyType::text, kCall},
    {"aws:username", KeyType::text, kCall},
    {"aws:currenttime", KeyType::date, kCall},
    {"aws:epochtime", KeyType::epoch, kCall},
    {"aws:tokenissuetime", KeyType::date, kCall},
    {"aws:sourceip", KeyType::address, kCall},
    {"aws:securetransport", KeyType::boolean, kCall},
    {"sts:externalid", KeyType::text, KeyScope::trust},
    {"sts:rolesessionname", KeyType::text, KeyScope::trust},
    {"sts:transitivetagkeys", KeyType::text, KeyScope::trust, true},
    {"aws:requesttag/", KeyType::text, KeyScope::tagging},
    {"aws:tagkeys", KeyType::text, KeyScope::tagging, true},
    {"aws:resourcetag/"},
    {"ec2:resourcetag/"},
    {"ec2:createaction"},
    {"ec2:owner", KeyType::text, kOfResource, true},
    {"ec2:public", KeyType::boolean},
    {"ec2:add/group"},
    {"ec2:add/userid"},
    {"ec2:remove/group"},
    {"ec2:remove/userid"},
    {"ec2:imageid"},
    {"ec2:imagetype"},
    {"ec2:rootdevicetype"},
    {"ec2:instanceid"},
    {"ec2:instancetype"},
    {"ec2:instanceprofile", KeyType::arn},
    {"ec2:instancemarkettype"},
    {"ec2:ebsoptimized", KeyType::boolean},
    {"ec2:tenancy"},
    {"ec2:metadatahttpendpoint"},
    {"ec2:metadatahttptokens"},
    {"ec2:metadatahttpputresponsehoplimit", KeyType::number},
    {"ec2:instancemetadatatags"},
    {"ec2:launchtemplate", KeyType::arn},
    {"ec2:islaunchtemplateresource", KeyType::boolean},
    {"ec2:availabilityzone"},
    {"ec2:volumeid"},
    {"ec2:volumesize", KeyType::number},
    {"ec2:volumetype"},
    {"ec2:volumeiops", KeyType::number},
    {"ec2:volumethroughput", KeyType::number},
    {"ec2:encrypted", KeyType::boolean},
    {"ec2:parentsnapshot", KeyType::arn},
    {"ec2:parentvolume", KeyType::arn},
    {"ec2:snapshotid"},
    {"ec2:snapshottime", KeyType::date},
    {"ec2:vpc", KeyType::arn},
    {"ec2:vpcid"},
    {"ec2:subnet", KeyType::arn},
    {"ec2:subnetid"},
    {"ec2:securitygroupid"},
    {"ec2:networkinterfaceid"},
    {"ec2:associatepublicipaddress", KeyType::boolean},
    {"ec2:keypairname"},
    {"ec2:keypairtype"},
    {"iam:passedtoservice"},
};

bool has_digits_alone(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<std::string> canonical_range(std::string_view text) {
    return model::canonical_ipv6_cidr(std::string(text) +
                                      (text.find('/') == text.npos ? "/128" : ""));
}

std::optional<model::Ipv4Cidr> ipv4_range(std::string_view text) {
    return model::parse_ipv4_cidr(std::string(text) + (text.find('/') == text.npos ? "/32" : ""));
}

}  // namespace

const PolicyKey* find_policy_key(std::string_view key) {
    const auto* found = std::find_if(std::begin(kKeys), std::end(kKeys), [&](const PolicyKey& k) {
        return k.name.ends_with('/') ? key.size() > k.name.size() && key.starts_with(k.name)
                                     : key == k.name;
    });
    return found == std::end(kKeys) ? nullptr : found;
}

bool is_known_to(const PolicyKey& key, bool trust) {
    return key.scope != (trust ? KeyScope::resource : KeyScope::trust);
}

bool is_of_resource(const PolicyKey& key, bool trust) {
    return key.scope == KeyScope::resource || (key.scope == KeyScope::tagging && !trust);
}

std::optional<std::int64_t> policy_time(std::string_view text) {
    constexpr std::size_t kLeastDigits = 9;
    constexpr std::size_t kMostDigits = 11;
    constexpr std::size_t kMonth = 7;    // characters of "2025-06"
    constexpr std::size_t kDay = 10;     // of "2025-06-01"
    constexpr std::size_t kMinute = 16;  // of "2025-06-01T12:34"
    if (has_digits_alone(text)) {
        const bool plain = text.size() >= kLeastDigits && text.size() <= kMostDigits;
        const auto seconds = plain ? parse_int<std::int64_t>(text) : std::nullopt;
        return seconds ? std::optional(*seconds * 1000) : std::nullopt;
    }
    std::string whole(text);
    if (text.size() == kMonth) {
        whole += "-01T00:00:00Z";
    } else if (text.size() == kDay) {
        whole += "T00:00:00Z";
    } else if (text.size() > kMinute && text[kMinute] != ':') {
        whole.insert(kMinute, ":00");
    }
    const auto time = parse_iso8601(whole);
    return time ? std::optional(time->value) : std::nullopt;
}

bool is_address_range(std::string_view text) {
    const auto range = canonical_range(text);
    return ipv4_range(text) || (range && !range->starts_with("::ffff:"));
}

bool in_address_range(std::string_view range, std::string_view address) {
    if (const auto ipv4 = ipv4_range(range)) {
        const auto asked = model::parse_ipv4(address);
        return asked && ipv4->contains(*asked);
    }
    const auto wanted = canonical_range(range);
    return wanted &&
           canonical_range(std::string(address) + wanted->substr(wanted->find('/'))) == wanted;
}

}  // namespace kiln::control
