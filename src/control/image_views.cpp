// SPDX-License-Identifier: Apache-2.0
#include "control/image_views.h"

#include "control/image_rules.h"

namespace kiln::control {
namespace {

using Values = std::vector<std::string>;
using Getters = std::map<std::string, FilterTable<ImageView>::Getter, std::less<>>;

Values one(std::string value) {
    return {std::move(value)};
}
Values unless_empty(const std::string& value) {
    return value.empty() ? Values{} : Values{value};
}
Values boolean(bool value) {
    return {value ? "true" : "false"};
}
template <class E>
Values name(E value) {
    return {std::string(model::to_string(value))};
}

template <class F>
Values each_ebs(const ImageView& view, F value_of) {
    Values values;
    for (const model::BlockDeviceMapping& mapping : view.image.block_device_mappings) {
        if (mapping.ebs) {
            values.push_back(value_of(*mapping.ebs));
        }
    }
    return values;
}

void add_device_filters(Getters& getters) {
    getters["block-device-mapping.delete-on-termination"] = [](const ImageView& view) {
        return each_ebs(view, [](const model::EbsBlockDevice& ebs) {
            return std::string(ebs.delete_on_termination.value_or(false) ? "true" : "false");
        });
    };
    getters["block-device-mapping.device-name"] = [](const ImageView& view) {
        Values values;
        for (const model::BlockDeviceMapping& mapping : view.image.block_device_mappings) {
            values.push_back(mapping.device_name);
        }
        return values;
    };
    getters["block-device-mapping.snapshot-id"] = [](const ImageView& view) {
        Values values = each_ebs(view, [](const auto& ebs) { return ebs.snapshot_id.str(); });
        std::erase(values, "");  // of a volume that begins empty
        return values;
    };
    getters["block-device-mapping.volume-size"] = [](const ImageView& view) {
        return each_ebs(
            view, [](const auto& ebs) { return std::to_string(ebs.volume_size_gib.value_or(0)); });
    };
    getters["block-device-mapping.volume-type"] = [](const ImageView& view) {
        return each_ebs(view, [](const model::EbsBlockDevice& ebs) {
            return ebs.volume_type ? std::string(model::to_string(*ebs.volume_type))
                                   : std::string();
        });
    };
    getters["block-device-mapping.encrypted"] = [](const ImageView& view) {
        return each_ebs(view, [](const model::EbsBlockDevice& ebs) {
            return std::string(ebs.encrypted.value_or(false) ? "true" : "false");
        });
    };
}

void add_identity_filters(Getters& getters) {
    getters["image-id"] = [](const ImageView& view) { return one(view.image.id.str()); };
    getters["name"] = [](const ImageView& view) { return one(view.image.name); };
    getters["description"] = [](const ImageView& view) {
        return unless_empty(view.image.description);
    };
    getters["manifest-location"] = [](const ImageView& view) { return one(view.image.location); };
    getters["owner-id"] = [](const ImageView& view) { return one(view.image.owner_id.str()); };
    getters["owner-alias"] = [](const ImageView& view) {  // DI-7
        return unless_empty(view.image.owner_alias);
    };
    getters["is-public"] = [](const ImageView& view) {
        return boolean(view.image.launch_permissions.everybody);
    };
    getters["creation-date"] = [](const ImageView& view) {
        return one(whole_seconds(view.image.created));
    };
    getters["product-code"] = [](const ImageView& view) {
        Values values;
        for (const model::ProductCode& code : view.image.product_codes) {
            values.push_back(code.id);
        }
        return values;
    };
    getters["product-code.type"] = [](const ImageView& view) {
        Values values;
        for (const model::ProductCode& code : view.image.product_codes) {
            values.push_back(code.type);
        }
        return values;
    };
    getters["free-tier-eligible"] = [](const ImageView&) { return boolean(false); };
    // Nobody can restrict which images are allowed, so no image carries the mark.
    getters["image-allowed"] = [](const ImageView&) { return Values{}; };
    getters["source-image-id"] = [](const ImageView& view) {
        return unless_empty(view.image.source_image_id.str());
    };
    getters["source-image-region"] = [](const ImageView& view) {
        return unless_empty(view.image.source_image_region);
    };
    getters["source-instance-id"] = [](const ImageView& view) {
        return unless_empty(view.image.source_instance_id.str());
    };
}

void add_state_filters(Getters& getters) {
    getters["state"] = [](const ImageView& view) { return name(view.image.state); };
    getters["state-reason-code"] = [](const ImageView& view) {
        return view.image.state_reason ? one(view.image.state_reason->code) : Values{};
    };
    getters["state-reason-message"] = [](const ImageView& view) {
        return view.image.state_reason ? one(view.image.state_reason->message) : Values{};
    };
}

void add_machine_filters(Getters& getters) {
    getters["architecture"] = [](const ImageView& view) { return name(view.image.architecture); };
    getters["image-type"] = [](const ImageView& view) { return name(view.image.type); };
    getters["virtualization-type"] = [](const ImageView& view) {
        return name(view.image.virtualization_type);
    };
    getters["hypervisor"] = [](const ImageView&) { return one("xen"); };
    getters["platform"] = [](const ImageView& view) { return unless_empty(view.image.platform); };
    getters["platform-details"] = [](const ImageView& view) {
        return unless_empty(view.image.platform_details);
    };
    getters["usage-operation"] = [](const ImageView& view) {
        return unless_empty(view.image.usage_operation);
    };
    getters["root-device-name"] = [](const ImageView& view) {
        return unless_empty(view.image.root_device_name);
    };
    getters["root-device-type"] = [](const ImageView& view) {
        return name(view.image.root_device_type);
    };
    getters["kernel-id"] = [](const ImageView& view) {
        return unless_empty(view.image.kernel_id.str());
    };
    getters["ramdisk-id"] = [](const ImageView& view) {
        return unless_empty(view.image.ramdisk_id.str());
    };
    getters["ena-support"] = [](const ImageView& view) { return boolean(view.image.ena_support); };
    getters["sriov-net-support"] = [](const ImageView& view) {
        return view.image.sriov_net_simple ? one("simple") : Values{};
    };
    getters["boot-mode"] = [](const ImageView& view) {
        return view.image.boot_mode ? name(*view.image.boot_mode) : Values{};
    };
    getters["tpm-support"] = [](const ImageView& view) {
        return view.image.tpm_v2 ? one("v2.0") : Values{};
    };
    getters["imds-support"] = [](const ImageView& view) {
        return view.image.imds_v2 ? one("v2.0") : Values{};
    };
}

FilterTable<ImageView> make_table() {
    Getters getters;
    add_device_filters(getters);
    add_identity_filters(getters);
    add_state_filters(getters);
    add_machine_filters(getters);
    return FilterTable<ImageView>(
        [](const ImageView& view) -> const std::vector<model::Tag>& { return view.tags; },
        std::move(getters));
}

}  // namespace

Result<std::vector<ImageView>> load_image_views(catalog::Transaction& tx, const Caller& caller,
                                                UnixMillis now, std::vector<model::Image> images) {
    std::vector<std::string> ids;
    for (const model::Image& image : images) {
        ids.push_back(image.id.str());
    }
    TRY_ASSIGN(auto tags, tx.tags().of(caller.account, ids));
    std::vector<ImageView> views;
    views.reserve(images.size());
    for (model::Image& image : images) {
        ImageView& view = views.emplace_back();
        view.own = image.owner_id == caller.account;
        view.protection = protection_text(image, now);
        if (const auto found = tags.find(image.id.str()); found != tags.end()) {
            view.tags = std::move(found->second);
        }
        view.image = std::move(image);
    }
    return views;
}

const FilterTable<ImageView>& image_filters() {
    static const FilterTable<ImageView> table = make_table();
    return table;
}

}  // namespace kiln::control
