// SPDX-License-Identifier: Apache-2.0
// A catalog with three accounts, a clock that is set by hand, and images put there directly.
#pragma once

#include <doctest/doctest.h>

#include "catalog/tests/backends.h"
#include "control/images.h"
#include "control/tests/codes.h"

namespace kiln::control::testing {

class ManualClock : public io::Clock {
  public:
    UnixMillis now() override { return now_; }
    std::chrono::nanoseconds monotonic() override { return std::chrono::milliseconds(now_.value); }
    void set(const char* time) { now_ = *parse_iso8601(time); }
    void advance(std::chrono::milliseconds by) { now_.value += by.count(); }

  private:
    UnixMillis now_ = *parse_iso8601("2025-06-01T12:34:40.500Z");
};

// A reserve that never refuses.
inline block::SpaceReserve endless_space() {
    return block::SpaceReserve([] { return block::Space{1ULL << 50, 1ULL << 50}; }, {});
}

inline Caller caller_of(const std::string& account, const std::string& region = "us-east-1") {
    return {model::AccountId(account), region, false, "test"};
}

inline const Caller kAlice = caller_of("111111111111");
inline const Caller kBob = caller_of("222222222222");
inline const Caller kCarol = caller_of("333333333333");

class ImageWorld {
  public:
    ImageWorld() {
        REQUIRE(store
                    ->run([&](catalog::Transaction& tx) -> Status {
                        for (const Caller& caller : {kAlice, kBob, kCarol}) {
                            model::Account account;
                            account.id = caller.account;
                            TRY(tx.accounts().insert(account));
                        }
                        return ok();
                    })
                    .has_value());
    }

    // Available, with one root snapshot; `edit` may change that.
    model::ImageId put(const std::string& name, const Caller& owner = kAlice,
                       const std::function<void(model::Image&)>& edit = {}) {
        model::Image image;
        image.id = model::make_id<model::ImageId>(*rng);
        image.owner_id = owner.account;
        image.region = owner.region;
        image.name = name;
        image.state = model::ImageState::available;
        image.root_device_name = "/dev/xvda";
        model::EbsBlockDevice ebs;
        ebs.snapshot_id = model::make_id<model::SnapshotId>(*rng);
        ebs.volume_size_gib = 8;
        ebs.volume_type = model::VolumeType::gp2;
        ebs.encrypted = false;
        ebs.delete_on_termination = true;
        image.block_device_mappings = {{"/dev/xvda", ebs, "", false}};
        clock.advance(std::chrono::seconds(1));
        image.created = clock.now();
        if (edit) {
            edit(image);
        }
        REQUIRE(store->run([&](catalog::Transaction& tx) { return tx.images().insert(image); })
                    .has_value());
        return image.id;
    }

    model::Image get(const model::ImageId& id) {
        auto image = store->read([&](catalog::Transaction& tx) { return tx.images().get(id); });
        REQUIRE(image.has_value());
        return *image;
    }

    // The names, the oldest first, against the order of the answer (PAG-7); or the error's code.
    std::vector<std::string> names(const Caller& caller, const DescribeImagesInput& input = {}) {
        const auto page = images.describe(caller, input);
        if (!page) {
            return {page.error().api_code()};
        }
        std::vector<std::string> names;
        for (const ImageView& view : page->items) {
            names.insert(names.begin(), view.image.name);
        }
        return names;
    }

    catalog::testing::SqliteBackend backend;
    std::unique_ptr<catalog::Store> store = backend.open();
    ManualClock clock;
    std::unique_ptr<io::Rng> rng = io::make_system_rng();
    block::SpaceReserve space = endless_space();
    Quotas quotas = kDefaultQuotas;
    Images images{*store, clock, *rng, space, quotas};
};

}  // namespace kiln::control::testing
