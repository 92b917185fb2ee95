// SPDX-License-Identifier: Apache-2.0
// Images: registering machine images, describing and changing them, and finding those a caller may
// launch. An image names snapshots and its content never changes (IMG-1, IMG-2); what changes are
// permissions, description, deprecation, protection and its state.
//
// Only the owner changes an image (LP-9): for others it is `AuthFailure` (ERR-2), or as if it did
// not exist. Thread-safe, blocking.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/image_rules.h"
#include "control/image_views.h"
#include "control/pagination.h"
#include "control/parts.h"
#include "control/tagging.h"
#include "model/image.h"
#include "model/snapshot.h"

namespace kiln::control {

struct RegisterImageInput {
    std::string name;
    std::string description;
    model::Architecture architecture = model::Architecture::i386;                            // RI-4
    model::VirtualizationType virtualization_type = model::VirtualizationType::paravirtual;  // RI-4
    std::string root_device_name;
    model::BlockDeviceMappings block_device_mappings;
    bool ena_support = false;
    bool sriov_net_simple = false;
    std::optional<model::BootMode> boot_mode;
    bool tpm_v2 = false;
    bool imds_v2 = false;
    std::string uefi_data;  // RI-11: in EC2's form
    std::vector<TagSpecification> tags;
    bool dry_run = false;
    // Of an import alone, EC2 has no such parameters:
    model::ImageId id{};             // empty: a new one
    bool windows = false;            // the platform
    bool everybody = false;          // may launch it from the beginning
    std::string public_parameter{};  // PAR-1
};

struct DescribeImagesInput {
    std::vector<model::ImageId> ids;
    std::vector<std::string> owners;         // DI-2: account ids, aliases, "self"
    std::vector<std::string> executable_by;  // DI-3: account ids, "self", "all"
    std::vector<Filter> filters;
    bool include_deprecated = false;
    bool include_disabled = false;
    PageRequest page;
};

// LP-1: whom an image is shared with, as a request says it; exactly one text is not empty.
struct LaunchPermission {
    std::string user_id{};
    std::string group{};
    std::string organization_arn{};
    std::string organizational_unit_arn{};
    friend bool operator==(const LaunchPermission&, const LaunchPermission&) = default;
};

// LP-3: one of the three.
struct ImageChange {
    std::optional<std::string> description;
    std::optional<std::string> imds_support;
    std::vector<LaunchPermission> add;
    std::vector<LaunchPermission> remove;
};

// Names the image of a request that changes it.
struct ImageRef {
    model::ImageId id;
    bool dry_run = false;
};

class Images {
  public:
    Images(catalog::Store& store, io::Clock& clock, io::Rng& rng, block::SpaceReserve& space,
           const Quotas& quotas)
        : store_(store), clock_(clock), rng_(rng), space_(space), quotas_(quotas) {}
    // `work_added` is called after a transaction that woke a job.
    explicit Images(const Parts& parts, std::function<void()> work_added = {})
        : Images(parts.store, parts.clock, parts.rng, parts.space, parts.settings.quotas) {
        work_added_ = std::move(work_added);
    }

    // RI-1 .. RI-15, the EBS form.
    Result<model::ImageId> register_image(const Caller& caller, const RegisterImageInput& input);

    // The same within a transaction that does more (an import). `input` was checked.
    Result<model::Image> insert(catalog::Transaction& tx, const Caller& caller,
                                const RegisterImageInput& input);
    // What can be said without the catalog.
    static Status check(const RegisterImageInput& input);
    // IMGN-2.
    static Status check_name(const std::string& name);
    static Status check_name_is_free(catalog::Transaction& tx, const Caller& caller,
                                     const std::string& name);
    // No image has it or ever had it (DR-4). Fine if empty.
    static Status check_id_is_free(catalog::Transaction& tx, const model::ImageId& id);

    // RUN-3: the image, if the caller may launch it now; else the error RunInstances answers
    // (ERR-2, IMS-2, DR-4).
    static Result<model::Image> find_launchable(catalog::Transaction& tx, const Caller& caller,
                                                const model::ImageId& id);

    // DI-1 .. DI-12.
    Result<Page<ImageView>> describe(const Caller& caller, const DescribeImagesInput& input);

    // LP-14: the image, if the caller may read this attribute of it.
    Result<ImageView> describe_attribute(const Caller& caller, const ImageRef& image,
                                         ImageAttribute attribute);
    Status modify(const Caller& caller, const ImageRef& image, const ImageChange& change);
    // LP-10.
    Status reset_launch_permission(const Caller& caller, const ImageRef& image);
    // LP-10: the caller's own, of another's image.
    Status cancel_launch_permission(const Caller& caller, const ImageRef& image);

    // ITS-1: instead of the specification that it has; an empty one takes that away.
    Status replace_instance_types(const Caller& caller, const ImageRef& image,
                                  const model::InstanceTypeSpecification& specification);

    // DR-1 .. DR-5. The image stays as a tombstone, its snapshots stay.
    // The snapshots of its mapping, each once.
    Result<std::vector<model::SnapshotId>> deregister(const Caller& caller, const ImageRef& image);
    // DR-7.
    Status protect(const Caller& caller, const ImageRef& image, bool with_cooldown);
    Status unprotect(const Caller& caller, const ImageRef& image);
    // DR-8, DR-9.
    Status disable(const Caller& caller, const ImageRef& image);
    Status enable(const Caller& caller, const ImageRef& image);
    // DR-10; nothing: not deprecated any more.
    Status deprecate(const Caller& caller, const ImageRef& image, std::optional<UnixMillis> when);

  private:
    using Edit = std::function<Status(catalog::Transaction&, model::Image&)>;

    Result<model::BlockDeviceMappings> resolve_mappings(catalog::Transaction& tx,
                                                        const Caller& caller,
                                                        const RegisterImageInput& input);
    // Writes the image as it is now; FLN-6.
    Status save(catalog::Transaction& tx, model::Image& image);
    void woke_jobs() const;
    // Lets `edit` change the caller's image, if its state allows `event`.
    Status change(const Caller& caller, const ImageRef& image, model::ImageEvent event,
                  const Edit& edit);

    catalog::Store& store_;
    io::Clock& clock_;
    io::Rng& rng_;
    block::SpaceReserve& space_;
    const Quotas& quotas_;
    std::function<void()> work_added_;
};

// The caller's own image, deregistered ones not; else the error that operations for owners answer
// (ERR-2, DR-4).
Result<model::Image> find_own_image(catalog::Transaction& tx, const Caller& caller,
                                    const model::ImageId& id);

}  // namespace kiln::control
