// SPDX-License-Identifier: Apache-2.0
// What policies see of a resource: its ARN and the values of its condition keys (IAM-7, IAM-8). For
// what is there, from its record; for what is to be made, from what the request and the catalog say
// of it.
//
// Images and snapshots have ARNs without an account, as in EC2; one with the owner's account names
// them as well. Thread model: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/caller.h"
#include "control/policy.h"
#include "control/volume_plan.h"
#include "model/image.h"
#include "model/instance.h"
#include "model/key_pair.h"
#include "model/network.h"
#include "model/snapshot.h"
#include "model/tag.h"
#include "model/volume.h"

namespace kiln::control {

// "arn:aws:ec2:REGION:ACCOUNT:TYPE/ID" and no facts: of what has no more, is not there, or is not
// for the caller to know of. All three look alike.
PolicyResource bare_resource(const Caller& caller, std::string_view type, std::string_view id);
// What is to be made: its id is "*".
PolicyResource new_resource(const Caller& caller, std::string_view type,
                            const std::vector<model::Tag>& request_tags = {});
// What is to be made of another resource: it has the facts of that, but for its tags, until it has
// its own. Of a volume it is a snapshot's.
PolicyResource copied_resource(const Caller& caller, std::string_view type,
                               const PolicyResource& source,
                               const std::vector<model::Tag>& request_tags);
// Of a service without regions, or whose ARN is of another form.
PolicyResource resource_by_arn(std::string arn);

PolicyResource resource_of(const Caller& caller, const model::Image& image);
PolicyResource resource_of(const Caller& caller, const model::Snapshot& snapshot);
PolicyResource resource_of(const Caller& caller, const model::Volume& volume);
PolicyResource resource_of(const Caller& caller, const model::Instance& instance);
PolicyResource resource_of(const Caller& caller, const model::Vpc& vpc);
PolicyResource resource_of(const Caller& caller, const model::Subnet& subnet);
PolicyResource resource_of(const Caller& caller, const model::SecurityGroup& group);
PolicyResource resource_of(const Caller& caller, const model::KeyPair& pair);
// The network interface of an instance.
PolicyResource interface_of(const Caller& caller, const model::Instance& instance);

// A volume that is to be made.
PolicyResource planned_volume(const Caller& caller, const VolumePlan& plan, const std::string& zone,
                              const std::vector<model::Tag>& request_tags);

// The ARN under which a request asked for a resource, where its own tells more (the id of what was
// named, a path): all that a refusal may show. Kept as a fact that no policy can name.
inline constexpr std::string_view kAskedAs = "kiln:askedas";

// aws:ResourceTag and ec2:ResourceTag
void add_tags(PolicyFacts& facts, const std::vector<model::Tag>& tags);
// aws:RequestTag and aws:TagKeys
void add_request_tags(PolicyFacts& facts, const std::vector<model::Tag>& tags);
// aws:TagKeys alone: of tags that go, whatever their values.
void add_tag_keys(PolicyFacts& facts, const std::vector<std::string>& keys);
// ec2:LaunchTemplate, of the ARN or empty for none; and ec2:IsLaunchTemplateResource.
void add_template(PolicyFacts& facts, const std::string& template_arn, bool of_template);
// The keys of an instance's options of its metadata.
void add_metadata_options(PolicyFacts& facts, const model::MetadataOptions& options);

}  // namespace kiln::control
