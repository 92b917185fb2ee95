// SPDX-License-Identifier: Apache-2.0
// What a caller is shown of an image: the image, the caller's own tags of it (TAG-9), and what only
// its owner is told. Thread model: plain values; load functions within a transaction.
#pragma once

#include <string>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/filter.h"
#include "model/image.h"
#include "model/tag.h"

namespace kiln::control {

struct ImageView {
    model::Image image;
    std::vector<model::Tag> tags;
    bool own = false;
    std::string protection;  // DR-7
};

// LP-14, by the names of the API.
enum class ImageAttribute {
    description,
    kernel,
    ramdisk,
    launch_permission,
    product_codes,
    block_device_mapping,
    sriov_net_support,
    boot_mode,
    tpm_support,
    uefi_data,
    last_launched_time,
    imds_support,
    deregistration_protection,
};
constexpr auto enum_names(ImageAttribute) {
    using A = ImageAttribute;
    return std::to_array<model::EnumName<A>>(
        {{A::description, "description"},
         {A::kernel, "kernel"},
         {A::ramdisk, "ramdisk"},
         {A::launch_permission, "launchPermission"},
         {A::product_codes, "productCodes"},
         {A::block_device_mapping, "blockDeviceMapping"},
         {A::sriov_net_support, "sriovNetSupport"},
         {A::boot_mode, "bootMode"},
         {A::tpm_support, "tpmSupport"},
         {A::uefi_data, "uefiData"},
         {A::last_launched_time, "lastLaunchedTime"},
         {A::imds_support, "imdsSupport"},
         {A::deregistration_protection, "deregistrationProtection"}});
}

Result<std::vector<ImageView>> load_image_views(catalog::Transaction& tx, const Caller& caller,
                                                UnixMillis now, std::vector<model::Image> images);

// DI-6.
const FilterTable<ImageView>& image_filters();

}  // namespace kiln::control
