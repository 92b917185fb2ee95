// SPDX-License-Identifier: Apache-2.0
#include "control/space.h"

#include <fmt/format.h>

#include <utility>

namespace kiln::control {
namespace {

Error refusal(SpaceFor purpose, std::string_view what, const std::string& figures) {
    return Error::api(
        Code::resource_exhausted,
        purpose == SpaceFor::launch ? "InsufficientInstanceCapacity" : "InsufficientVolumeCapacity",
        fmt::format("There is not enough space for {}: {} To get space, delete "
                    "snapshots and volumes and run 'kiln gc', or make the file "
                    "system larger; 'kiln serve --reserve' sets the reserve.",
                    what, figures));
}

std::string text_of(const block::SpaceReserve::Figures& figures) {
    return fmt::format("{} of {} are free, and {} more than the reserve of {} must be.",
                       size_text(figures.space.available), size_text(figures.space.total),
                       size_text(kLeastRoom), size_text(figures.reserve));
}

}  // namespace

std::string size_text(std::uint64_t bytes) {
    constexpr std::pair<const char*, unsigned> kUnits[] = {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}};
    for (const auto& [unit, shift] : kUnits) {
        if (bytes >> shift != 0) {
            return fmt::format(
                "{:.1f} {}", static_cast<double>(bytes) / static_cast<double>(1ULL << shift), unit);
        }
    }
    return fmt::format("{} KiB", bytes >> 10);
}

Status check_space(block::SpaceReserve& space, SpaceFor purpose, std::string_view what) {
    TRY_ASSIGN(const auto figures, space.measure());
    return figures.room() >= kLeastRoom ? ok() : refusal(purpose, what, text_of(figures));
}

Error no_space(block::SpaceReserve& space, SpaceFor purpose, std::string_view what) {
    const auto figures = space.measure();
    return refusal(purpose, what, figures ? text_of(*figures) : figures.error().message() + ".");
}

}  // namespace kiln::control
