// SPDX-License-Identifier: Apache-2.0
// The attributes of an image, and who may launch it (section 13 of the rules).
#include <fmt/format.h>

#include <set>

#include "control/api_errors.h"
#include "control/fast_launch_pool.h"
#include "control/images.h"
#include "control/quotas.h"
#include "control/region_settings.h"
#include "model/organization.h"

namespace kiln::control {
namespace {

Error bad_item(std::string_view value, std::string_view type) {  // LP-5
    return Error::api(
        Code::invalid_argument, "InvalidAMIAttributeItemValue",
        fmt::format("Invalid attribute item value \"{}\" for {} item type.", value, type));
}

Status check_permission(const LaunchPermission& entry) {
    const int given = (entry.user_id.empty() ? 0 : 1) + (entry.group.empty() ? 0 : 1) +
                      (entry.organization_arn.empty() ? 0 : 1) +
                      (entry.organizational_unit_arn.empty() ? 0 : 1);
    if (given != 1) {
        return errors::invalid_parameter_combination(
            "A launch permission names exactly one of UserId, Group, OrganizationArn and "
            "OrganizationalUnitArn.");
    }
    if (!entry.user_id.empty() && !model::is_well_formed_account(entry.user_id)) {
        return bad_item(entry.user_id, "userId");
    }
    if (!entry.group.empty() && entry.group != "all") {
        return bad_item(entry.group, "userGroup");
    }
    if (!entry.organization_arn.empty() && !model::is_organization_arn(entry.organization_arn)) {
        return bad_item(entry.organization_arn, "organizationArn");
    }
    if (!entry.organizational_unit_arn.empty() &&
        !model::is_unit_arn(entry.organizational_unit_arn)) {
        return bad_item(entry.organizational_unit_arn, "organizationalUnitArn");
    }
    return ok();
}

Status check_change(const ImageChange& change) {
    if (change.description) {
        TRY(check_image_description(*change.description));
    }
    if (change.imds_support && *change.imds_support != "v2.0") {  // IMG-1: one way
        return errors::invalid_parameter_value(fmt::format(
            "Invalid value '{}' for imdsSupport. The only value is v2.0.", *change.imds_support));
    }
    for (const auto* list : {&change.add, &change.remove}) {
        for (const LaunchPermission& entry : *list) {
            TRY(check_permission(entry));
        }
    }
    return ok();
}

Status check_may_be_public(catalog::Transaction& tx, const model::Image& image) {  // LP-7
    const bool encrypted = std::any_of(
        image.block_device_mappings.begin(), image.block_device_mappings.end(),
        [](const auto& mapping) { return mapping.ebs && mapping.ebs->encrypted.value_or(false); });
    if (encrypted || !image.product_codes.empty()) {
        return Error::api(Code::permission_denied, "OperationNotPermitted",
                          fmt::format("The image {} has encrypted snapshots or product codes and "
                                      "cannot be public.",
                                      image.id.str()));
    }
    TRY_ASSIGN(const auto settings, region_settings(tx, image.owner_id, image.region));
    if (settings.image_access != model::ImageBlockPublicAccess::unblocked) {  // LP-12
        return Error::api(Code::permission_denied, "OperationNotPermitted",
                          fmt::format("Block public access for AMIs is '{}' in this region: the "
                                      "image {} cannot be public.",
                                      model::to_string(settings.image_access), image.id.str()));
    }
    return ok();
}

Status make_public(catalog::Transaction& tx, const Quotas& quotas, const Caller& owner,
                   model::Image& image) {
    TRY(check_may_be_public(tx, image));
    TRY(check_public_image_quota(tx, quotas, owner));           // QT-1
    const UnixMillis last = last_deprecation_of_public(image);  // LP-13
    if (!image.deprecation_time || *image.deprecation_time > last) {
        image.deprecation_time = last;
    }
    image.launch_permissions.everybody = true;
    return ok();
}

// The entries of one kind each, to be changed.
struct Entries {
    explicit Entries(const model::Sharing& from)
        : everybody(from.everybody),
          accounts(from.accounts.begin(), from.accounts.end()),
          organizations(from.organizations.begin(), from.organizations.end()) {}

    void set(const LaunchPermission& entry, bool there) {
        const std::string& arn =
            entry.organization_arn.empty() ? entry.organizational_unit_arn : entry.organization_arn;
        if (!entry.group.empty()) {
            everybody = there;
        } else if (!entry.user_id.empty()) {
            set(accounts, model::AccountId(entry.user_id), there);
        } else {
            set(organizations, arn, there);
        }
    }

    bool everybody;
    std::set<model::AccountId> accounts;
    std::set<std::string> organizations;

  private:
    template <class T>
    static void set(std::set<T>& in, const T& value, bool there) {
        if (there) {
            in.insert(value);
        } else {
            in.erase(value);
        }
    }
};

// LP-3: additions, then removals. LP-4: what is there already or not there is no error.
Status apply_permissions(catalog::Transaction& tx, const Quotas& quotas, const Caller& owner,
                         const ImageChange& change, model::Image& image) {
    model::Sharing& sharing = image.launch_permissions;
    Entries entries(sharing);
    for (const LaunchPermission& entry : change.add) {
        entries.set(entry, true);
    }
    for (const LaunchPermission& entry : change.remove) {
        entries.set(entry, false);
    }
    entries.accounts.erase(image.owner_id);  // LP-1: implicit
    TRY(check_share_quota(quotas, sharing.accounts.size() + sharing.organizations.size(),
                          entries.accounts.size() + entries.organizations.size()));  // LP-6
    const bool was_public = sharing.everybody;
    sharing.accounts.assign(entries.accounts.begin(), entries.accounts.end());
    sharing.organizations.assign(entries.organizations.begin(), entries.organizations.end());
    sharing.everybody = entries.everybody;
    return entries.everybody && !was_public ? make_public(tx, quotas, owner, image) : ok();
}

bool is_for_owners(ImageAttribute attribute) {  // LP-14
    return attribute == ImageAttribute::launch_permission ||
           attribute == ImageAttribute::uefi_data ||
           attribute == ImageAttribute::last_launched_time ||
           attribute == ImageAttribute::deregistration_protection;
}

}  // namespace

Result<ImageView> Images::describe_attribute(const Caller& caller, const ImageRef& ref,
                                             ImageAttribute attribute) {
    return store_.read([&](catalog::Transaction& tx) -> Result<ImageView> {
        auto image = find_own_image(tx, caller, ref.id);
        if (!image && image.error().api_code() == "AuthFailure" && !is_for_owners(attribute)) {
            TRY_ASSIGN(const model::Image foreign, tx.images().get(ref.id));
            if (may_use(foreign, caller)) {  // LP-9
                image = foreign;
            }
        }
        if (!image) {
            return std::move(image).error();
        }
        if (attribute == ImageAttribute::block_device_mapping) {
            return Error::api(Code::permission_denied, "AuthFailure",
                              "Unauthorized attempt to access restricted resource");
        }
        if (ref.dry_run) {
            return errors::dry_run();
        }
        TRY_ASSIGN(auto views, load_image_views(tx, caller, clock_.now(), {std::move(*image)}));
        return std::move(views.front());
    });
}

Status Images::change(const Caller& caller, const ImageRef& ref, model::ImageEvent event,
                      const Edit& edit) {
    const Status changed = store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(model::Image image, find_own_image(tx, caller, ref.id));
        TRY_ASSIGN(image.state, model::next(image.state, event, ref.id));
        TRY(edit(tx, image));
        if (ref.dry_run) {
            return errors::dry_run();  // rolls everything back
        }
        return save(tx, image);
    });
    woke_jobs();
    return changed;
}

Status Images::save(catalog::Transaction& tx, model::Image& image) {
    TRY(end_lost_fast_launches(tx, image, clock_.now()));
    return tx.images().update(image);
}

void Images::woke_jobs() const {
    if (work_added_) {
        work_added_();
    }
}

Status Images::modify(const Caller& caller, const ImageRef& ref, const ImageChange& change) {
    TRY(check_change(change));
    return this->change(caller, ref, model::ImageEvent::modify,
                        [&](catalog::Transaction& tx, model::Image& image) -> Status {
                            if (change.description) {
                                image.description = *change.description;
                            }
                            image.imds_v2 = image.imds_v2 || change.imds_support.has_value();
                            return apply_permissions(tx, quotas_, caller, change, image);
                        });
}

Status Images::replace_instance_types(const Caller& caller, const ImageRef& ref,
                                      const model::InstanceTypeSpecification& specification) {
    TRY(check_instance_types(specification));
    return change(caller, ref, model::ImageEvent::modify,
                  [&](catalog::Transaction&, model::Image& image) {
                      image.instance_types = specification;
                      return ok();
                  });
}

Status Images::reset_launch_permission(const Caller& caller, const ImageRef& ref) {
    return change(caller, ref, model::ImageEvent::modify,
                  [](catalog::Transaction&, model::Image& image) {
                      image.launch_permissions = {};
                      return ok();
                  });
}

Status Images::cancel_launch_permission(const Caller& caller, const ImageRef& ref) {
    const Status cancelled = store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto image, tx.images().find(ref.id));
        if (!image || image->region != caller.region || !may_use(*image, caller)) {
            return errors::images_not_found({ref.id.str()});
        }
        TRY(model::next(image->state, model::ImageEvent::use_attribute, ref.id));
        auto& accounts = image->launch_permissions.accounts;
        if (std::erase(accounts, caller.account) == 0) {
            return Error::api(Code::permission_denied, "OperationNotPermitted",
                              fmt::format("The image {} is not shared with the account {} itself: "
                                          "its access comes from elsewhere.",
                                          ref.id.str(), caller.account.str()));
        }
        if (ref.dry_run) {
            return errors::dry_run();
        }
        return save(tx, *image);
    });
    woke_jobs();
    return cancelled;
}

}  // namespace kiln::control
