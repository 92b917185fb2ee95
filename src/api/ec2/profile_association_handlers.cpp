// SPDX-License-Identifier: Apache-2.0
// AssociateIamInstanceProfile, DisassociateIamInstanceProfile,
// ReplaceIamInstanceProfileAssociation, DescribeIamInstanceProfileAssociations.
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/paging.h"
#include "api/generated/ec2/associate_iam_instance_profile.h"
#include "api/generated/ec2/describe_iam_instance_profile_associations.h"
#include "api/generated/ec2/disassociate_iam_instance_profile.h"
#include "api/generated/ec2/replace_iam_instance_profile_association.h"
#include "control/api_errors.h"
#include "control/profile_associations.h"

namespace kiln::api {
namespace {

using namespace ec2;

IamInstanceProfileAssociation from_view(const control::AssociationView& view) {
    IamInstanceProfileAssociation out;
    out.association_id = view.association.id.str();
    out.instance_id = view.instance.str();
    IamInstanceProfile& profile = out.iam_instance_profile.emplace();
    profile.arn = view.profile.arn;
    profile.id = view.profile.id.str();
    out.state = view.state;
    out.timestamp = view.association.since;
    return out;
}

control::InstanceProfileSpec spec_of(const std::optional<IamInstanceProfileSpecification>& from) {
    control::InstanceProfileSpec spec;
    if (from) {
        spec.arn = from->arn.value_or("");
        spec.name = from->name.value_or("");
    }
    return spec;
}

Result<model::ProfileAssociationId> association_id(const std::optional<std::string>& id) {
    if (!given(id)) {
        return control::errors::missing_parameter("AssociationId");
    }
    return model::parse_profile_association_id(*id);
}

Result<DescribeIamInstanceProfileAssociationsResult> describe(
    const Services& services, const Context& context,
    const DescribeIamInstanceProfileAssociationsRequest& request) {
    control::DescribeAssociationsInput input;
    for (const std::string& id : request.association_ids) {
        TRY_ASSIGN(input.ids.emplace_back(), model::parse_profile_association_id(id));
    }
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(const auto page, services.profile_associations.describe(context.caller, input));
    DescribeIamInstanceProfileAssociationsResult result;
    result.iam_instance_profile_associations.give();
    for (const control::AssociationView& view : page.items) {
        result.iam_instance_profile_associations.push_back(from_view(view));
    }
    set_token(result.next_token, page.next_token);
    return result;
}

}  // namespace

void add_profile_association_handlers(Registry& registry, Services services) {
    registry.add<ops::AssociateIamInstanceProfile>(
        [services](Context& context, const AssociateIamInstanceProfileRequest& request)
            -> Result<AssociateIamInstanceProfileResult> {
            if (!given(request.instance_id)) {
                return control::errors::missing_parameter("InstanceId");
            }
            TRY_ASSIGN(const auto id, model::parse_instance_id(*request.instance_id));
            TRY_ASSIGN(const auto view,
                       services.profile_associations.associate(
                           context.caller, id, spec_of(request.iam_instance_profile)));
            AssociateIamInstanceProfileResult result;
            result.iam_instance_profile_association = from_view(view);
            return result;
        });
    registry.add<ops::DisassociateIamInstanceProfile>(
        [services](Context& context, const DisassociateIamInstanceProfileRequest& request)
            -> Result<DisassociateIamInstanceProfileResult> {
            TRY_ASSIGN(const auto id, association_id(request.association_id));
            TRY_ASSIGN(const auto view,
                       services.profile_associations.disassociate(context.caller, id));
            DisassociateIamInstanceProfileResult result;
            result.iam_instance_profile_association = from_view(view);
            return result;
        });
    registry.add<ops::ReplaceIamInstanceProfileAssociation>(
        [services](Context& context, const ReplaceIamInstanceProfileAssociationRequest& request)
            -> Result<ReplaceIamInstanceProfileAssociationResult> {
            TRY_ASSIGN(const auto id, association_id(request.association_id));
            TRY_ASSIGN(const auto view,
                       services.profile_associations.replace(
                           context.caller, id, spec_of(request.iam_instance_profile)));
            ReplaceIamInstanceProfileAssociationResult result;
            result.iam_instance_profile_association = from_view(view);
            return result;
        });
    registry.add<ops::DescribeIamInstanceProfileAssociations>(
        [services](Context& context, const DescribeIamInstanceProfileAssociationsRequest& request) {
            return describe(services, context, request);
        });
}

}  // namespace kiln::api
