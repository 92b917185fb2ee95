// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/generated/ec2/create_key_pair.h"
#include "api/generated/ec2/delete_key_pair.h"
#include "api/generated/ec2/describe_key_pairs.h"
#include "api/generated/ec2/import_key_pair.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace ec2;

Result<KeyPair> create(const Services& services, const Context& context,
                       const CreateKeyPairRequest& request) {
    control::CreateKeyPairInput input;
    input.name = request.key_name.value_or("");
    TRY_ASSIGN(input.type, to_enum(request.key_type, "KeyType", model::KeyType::rsa));
    TRY_ASSIGN(input.format, to_enum(request.key_format, "KeyFormat", control::KeyFormat::pem));
    input.tags = to_tags(request.tag_specifications);
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto created, services.key_pairs.create(context.caller, input));
    KeyPair result;
    result.key_pair_id = created.view.pair.id.str();
    result.key_name = created.view.pair.name;
    result.key_fingerprint = created.view.pair.fingerprint;
    result.key_material = created.private_key;
    result.tags = from_tags(created.view.tags);
    return result;
}

Result<ImportKeyPairResult> import(const Services& services, const Context& context,
                                   const ImportKeyPairRequest& request) {
    control::ImportKeyPairInput input;
    input.name = request.key_name.value_or("");
    if (request.public_key_material.has_value()) {
        input.material = std::string(as_text(*request.public_key_material));
    }
    input.tags = to_tags(request.tag_specifications);
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto imported, services.key_pairs.import(context.caller, input));
    ImportKeyPairResult result;
    result.key_pair_id = imported.pair.id.str();
    result.key_name = imported.pair.name;
    result.key_fingerprint = imported.pair.fingerprint;
    result.tags = from_tags(imported.tags);
    return result;
}

Result<DescribeKeyPairsResult> describe(const Services& services, const Context& context,
                                        const DescribeKeyPairsRequest& request) {
    control::DescribeKeyPairsInput input;
    input.names = request.key_names.items();
    for (const std::string& id : request.key_pair_ids) {
        TRY_ASSIGN(input.ids.emplace_back(), model::parse_key_pair_id(id));
    }
    input.filters = to_filters(request.filters);
    TRY_ASSIGN(const auto views, services.key_pairs.describe(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeKeyPairsResult result;
    result.key_pairs.give();
    for (const control::KeyPairView& view : views) {
        KeyPairInfo& info = result.key_pairs.emplace_back();
        info.key_pair_id = view.pair.id.str();
        info.key_name = view.pair.name;
        info.key_type = std::string(model::to_string(view.pair.type));
        info.key_fingerprint = view.pair.fingerprint;
        info.create_time = view.pair.created;
        info.tags = from_tags(view.tags);
        if (request.include_public_key.value_or(false)) {
            info.public_key = view.pair.public_key + " " + view.pair.name;
        }
    }
    return result;
}

Result<DeleteKeyPairResult> remove(const Services& services, const Context& context,
                                   const DeleteKeyPairRequest& request) {
    control::DeleteKeyPairInput input;
    input.name = request.key_name.value_or("");
    if (given(request.key_pair_id)) {
        TRY_ASSIGN(input.id, model::parse_key_pair_id(*request.key_pair_id));
    }
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto id, services.key_pairs.remove(context.caller, input));
    DeleteKeyPairResult result;
    result.return_ = true;
    if (!id.empty()) {
        result.key_pair_id = id.str();
    }
    return result;
}

}  // namespace

void add_key_pair_handlers(Registry& registry, Services services) {
    registry.add<ops::CreateKeyPair>(
        [services](Context& context, const CreateKeyPairRequest& request) {
            return create(services, context, request);
        });
    registry.add<ops::ImportKeyPair>(
        [services](Context& context, const ImportKeyPairRequest& request) {
            return import(services, context, request);
        });
    registry.add<ops::DescribeKeyPairs>(
        [services](Context& context, const DescribeKeyPairsRequest& request) {
            return describe(services, context, request);
        });
    registry.add<ops::DeleteKeyPair>(
        [services](Context& context, const DeleteKeyPairRequest& request) {
            return remove(services, context, request);
        });
}

}  // namespace kiln::api
