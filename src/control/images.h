// SPDX-License-Identifier: Apache-2.0
// Images: registering machine images and finding those a caller may use. An image names snapshots
// and never changes (IMG-1, IMG-2). Thread-safe, blocking.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
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
    std::vector<TagSpecification> tags;
    bool dry_run = false;
};

class Images {
  public:
    explicit Images(const Parts& parts) : parts_(parts) {}

    // RI-1 .. RI-15, the EBS form.
    Result<model::ImageId> register_image(const Caller& caller, const RegisterImageInput& input);

    // The same within a transaction that does more (an import). `input` was checked.
    Result<model::Image> insert(catalog::Transaction& tx, const Caller& caller,
                                const RegisterImageInput& input);
    // What can be said without the catalog.
    static Status check(const RegisterImageInput& input);
    // IMGN-2.
    static Status check_name_is_free(catalog::Transaction& tx, const Caller& caller,
                                     const std::string& name);

    // RUN-3: the image, if the caller may launch it now; else the error RunInstances answers
    // (ERR-2, IMS-2).
    static Result<model::Image> find_launchable(catalog::Transaction& tx, const Caller& caller,
                                                const model::ImageId& id);

  private:
    Result<model::BlockDeviceMappings> resolve_mappings(catalog::Transaction& tx,
                                                        const Caller& caller,
                                                        const RegisterImageInput& input);

    const Parts parts_;
};

// IMGN: 3 to 128 letters, digits and ()[] ./-'@_ characters.
bool is_valid_image_name(std::string_view name);

// The snapshot, if the caller may make volumes or images of it (ERR-3, RI-3, SNP-12).
Result<model::Snapshot> find_readable_snapshot(catalog::Transaction& tx, const Caller& caller,
                                               const model::SnapshotId& id);

}  // namespace kiln::control
