// SPDX-License-Identifier: Apache-2.0
// Between the generated shapes of EC2 and the values of model and control. Requests are checked for
// form here (ids, enumerations, numbers); what is in the model but not built is refused by name.
// Thread model: pure functions.
#pragma once

#include <string>
#include <vector>

#include "api/generated/ec2/block_device_mapping.h"
#include "api/generated/ec2/filter.h"
#include "api/generated/ec2/instance_state_change.h"
#include "api/generated/ec2/operator_response.h"
#include "api/generated/ec2/reservation.h"
#include "api/generated/ec2/tag_specification.h"
#include "control/filter.h"
#include "control/instances.h"
#include "control/tagging.h"
#include "model/block_device.h"
#include "util/result.h"

namespace kiln::api::ec2 {

// "UnsupportedOperation: The parameter X is not built yet."; for a parameter that was given a
// value.
Error not_built(std::string_view parameter);
inline bool given(const std::optional<std::string>& text) {
    return text && !text->empty();  // clients send empty values to mean absent
}

// The enumerator, `absent` when there is none, or InvalidParameterValue.
template <class E>
Result<E> to_enum(const std::optional<std::string>& text, std::string_view parameter, E absent);
Error bad_enum(std::string_view value, std::string_view parameter);

Result<model::EbsBlockDevice> to_ebs(const EbsBlockDevice& ebs);
Result<model::BlockDeviceMappings> to_mappings(const List<BlockDeviceMapping>& list);
std::vector<control::TagSpecification> to_tags(const List<TagSpecification>& list);
std::vector<control::Filter> to_filters(const List<Filter>& list);
List<Tag> from_tags(const std::vector<model::Tag>& tags);
OperatorResponse unmanaged();  // INS-4: no other service manages anything here
List<ProductCode> from_product_codes(const std::vector<model::ProductCode>& codes);
Reservation from_reservation(const control::ReservationView& view);
InstanceState from_state(model::InstanceState state);
List<InstanceStateChange> from_changes(const std::vector<control::StateChange>& changes);  // INS-2

// For StartInstances and its kind: well-formed ids, at least one.
Result<std::vector<model::InstanceId>> to_instance_ids(const List<std::string>& ids);

template <class E>
Result<E> to_enum(const std::optional<std::string>& text, std::string_view parameter, E absent) {
    if (!given(text)) {
        return absent;
    }
    const auto value = model::parse<E>(*text);
    if (!value) {
        return bad_enum(*text, parameter);
    }
    return *value;
}

}  // namespace kiln::api::ec2
