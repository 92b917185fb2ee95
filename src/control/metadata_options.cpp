// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_options.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/instances.h"
#include "control/metadata_facts.h"
#include "control/region_settings.h"

namespace kiln::control {
namespace {

model::MetadataOptions merged(const MetadataOptionsInput& input, model::MetadataOptions options) {
    options.tokens_required = input.tokens_required.value_or(options.tokens_required);
    options.hop_limit = static_cast<std::uint32_t>(input.hop_limit.value_or(options.hop_limit));
    options.endpoint_enabled = input.endpoint_enabled.value_or(options.endpoint_enabled);
    options.ipv6_enabled = input.ipv6_enabled.value_or(options.ipv6_enabled);
    options.instance_tags_enabled =
        input.instance_tags_enabled.value_or(options.instance_tags_enabled);
    return options;
}

}  // namespace

Status check_metadata_options(const MetadataOptionsInput& input) {
    if (input.hop_limit && (*input.hop_limit < 1 || *input.hop_limit > kMaxHopLimit)) {
        return errors::invalid_parameter_value(
            fmt::format("Value ({}) for parameter HttpPutResponseHopLimit is invalid. Expecting a "
                        "value from 1 to {}.",
                        *input.hop_limit, kMaxHopLimit));
    }
    if (input.ipv6_enabled.value_or(false)) {
        return errors::unsupported(
            "The IPv6 endpoint of the metadata service is not built yet; leave out "
            "HttpProtocolIpv6.");
    }
    return ok();
}

Result<model::MetadataOptions> launch_metadata_options(const MetadataOptionsInput& input,
                                                       const model::MetadataDefaults& account,
                                                       const model::Image& image) {
    model::MetadataOptions defaults;
    if (image.imds_v2) {
        defaults.tokens_required = true;
        defaults.hop_limit = 2;
    }
    MetadataOptionsInput chosen;
    chosen.tokens_required = account.tokens_required;
    chosen.hop_limit = account.hop_limit;
    chosen.endpoint_enabled = account.endpoint_enabled;
    chosen.instance_tags_enabled = account.instance_tags_enabled;
    const model::MetadataOptions options = merged(input, merged(chosen, defaults));
    if (account.tokens_enforced.value_or(false) && !options.tokens_required) {
        return errors::unsupported(
            "You can't launch instances with IMDSv1 because httpTokensEnforced is enabled for this "
            "account. Launch the instance with httpTokens=required.");
    }
    return options;
}

Status check_metadata_tags(const std::vector<model::Tag>& tags) {
    for (const model::Tag& tag : tags) {
        if (!is_metadata_tag_key(tag.key)) {
            return errors::invalid_parameter_value(fmt::format(
                "'{}' is not a valid tag key. Tag keys must match pattern "
                "([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), and must not be a reserved name ('.', '..', "
                "'_index')",
                tag.key));
        }
    }
    return ok();
}

Result<model::MetadataOptions> modify_metadata_options(catalog::Store& store, const Caller& caller,
                                                       const ModifyMetadataOptionsInput& input) {
    TRY(check_metadata_options(input.options));
    if (input.options == MetadataOptionsInput{}) {
        return errors::invalid_parameter_combination(
            "At least one of HttpTokens, HttpPutResponseHopLimit, HttpEndpoint, HttpProtocolIpv6 "
            "and InstanceMetadataTags must be given.");
    }
    return store.run([&](catalog::Transaction& tx) -> Result<model::MetadataOptions> {
        TRY_ASSIGN(auto instances, find_instances(tx, caller, {input.id}));
        model::Instance& instance = instances.front();
        if (instance.state == model::InstanceState::terminated ||
            instance.state == model::InstanceState::shutting_down) {
            return Error::api(
                Code::failed_precondition, "IncorrectInstanceState",
                fmt::format("The instance '{}' is not in a state from which its metadata options "
                            "can be modified.",
                            instance.id.str()));
        }
        TRY_ASSIGN(const auto settings, region_settings(tx, caller.account, caller.region));
        if (settings.metadata.tokens_enforced.value_or(false) &&
            !input.options.tokens_required.value_or(true)) {
            return errors::unsupported(
                "You can't enable IMDSv1 because httpTokensEnforced is enabled for this account.");
        }
        instance.metadata_options = merged(input.options, instance.metadata_options);
        if (instance.metadata_options.instance_tags_enabled) {
            TRY_ASSIGN(auto tags, tx.tags().of(caller.account, {instance.id.str()}));
            TRY(check_metadata_tags(tags[instance.id.str()]));
        }
        if (input.dry_run) {
            return errors::dry_run();
        }
        TRY(tx.instances().update(instance));
        return instance.metadata_options;
    });
}

}  // namespace kiln::control
