// SPDX-License-Identifier: Apache-2.0
// LaunchTemplates: making, describing, changing and deleting launch templates and their versions
// (LT-1 .. LT-5, LT-9, LT-11). What a version holds is combined in control/template_data.h; whether
// a launch can do it is the launch's to say.
//
// Thread-safe, blocking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/filter.h"
#include "control/limits.h"
#include "control/pagination.h"
#include "control/tagging.h"
#include "io/clock.h"
#include "model/launch_template.h"

namespace kiln::control {

// LT-4: which template, as a request says it: one of the two.
struct TemplateName {
    std::string id;
    std::string name;
};

struct CreateLaunchTemplateInput {
    std::string name;
    std::string description;  // of the version
    std::string data;
    std::vector<TagSpecification> tags;
    std::string client_token;
    std::string request_hash;
    bool dry_run = false;
};

struct CreateTemplateVersionInput {
    TemplateName of;
    std::string source_version;  // empty: none (LT-2)
    std::string description;
    std::string data;
    std::string client_token;
    std::string request_hash;
    bool dry_run = false;
};

struct DescribeLaunchTemplatesInput {
    std::vector<model::LaunchTemplateId> ids;
    std::vector<std::string> names;
    std::vector<Filter> filters;
    PageRequest page;
};

struct DescribeTemplateVersionsInput {
    TemplateName of;  // both empty: all templates, for $Latest and $Default
    std::vector<std::string> versions;
    std::string min_version;
    std::string max_version;
    std::vector<Filter> filters;
    PageRequest page;
};

struct ModifyLaunchTemplateInput {
    TemplateName of;
    std::string default_version;
    std::string client_token;
    std::string request_hash;
    bool dry_run = false;
};

struct DeleteTemplateVersionsInput {
    TemplateName of;
    std::vector<std::string> versions;
    bool dry_run = false;
};

struct LaunchTemplateView {
    model::LaunchTemplate of;
    std::vector<model::Tag> tags;
};

struct TemplateVersionView {
    model::LaunchTemplate of;
    model::LaunchTemplateVersion version;
    bool is_default() const { return version.number == of.default_version; }
};

// LT-3: what became of one version that was to be deleted.
struct VersionRemoval {
    std::string id;  // empty when the request named the template otherwise and there is none
    std::string name;
    std::int64_t number = 0;
    std::string error_code;  // empty: it is deleted
    std::string error_message;
};

class LaunchTemplates {
  public:
    LaunchTemplates(catalog::Store& store, io::Clock& clock, io::Rng& rng, const Quotas& quotas)
        : store_(store), clock_(clock), rng_(rng), quotas_(quotas) {}

    Result<LaunchTemplateView> create(const Caller& caller, const CreateLaunchTemplateInput& input);
    Result<TemplateVersionView> create_version(const Caller& caller,
                                               const CreateTemplateVersionInput& input);
    Result<Page<LaunchTemplateView>> describe(const Caller& caller,
                                              const DescribeLaunchTemplatesInput& input);
    // Of one template newest first; of all, in the templates' order.
    Result<Page<TemplateVersionView>> describe_versions(const Caller& caller,
                                                        const DescribeTemplateVersionsInput& input);
    Result<LaunchTemplateView> modify(const Caller& caller, const ModifyLaunchTemplateInput& input);
    // What it was; its tags and versions are gone.
    Result<LaunchTemplateView> remove(const Caller& caller, const TemplateName& of, bool dry_run);
    Result<std::vector<VersionRemoval>> remove_versions(const Caller& caller,
                                                        const DeleteTemplateVersionsInput& input);
    // LT-6: what a launch uses; `version` may be empty for the default one.
    Result<TemplateVersionView> find(const Caller& caller, const TemplateName& of,
                                     const std::string& version);

  private:
    Result<LaunchTemplateView> insert(catalog::Transaction& tx, const Caller& caller,
                                      const CreateLaunchTemplateInput& input);
    Result<TemplateVersionView> insert_version(catalog::Transaction& tx, const Caller& caller,
                                               const CreateTemplateVersionInput& input);

    catalog::Store& store_;
    io::Clock& clock_;
    io::Rng& rng_;
    const Quotas& quotas_;
};

Error launch_template_not_found(const model::LaunchTemplateId& id);

}  // namespace kiln::control
