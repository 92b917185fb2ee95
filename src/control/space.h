// SPDX-License-Identifier: Apache-2.0
// What nobody may begin while only the reserve is left (SPC-1). Blocks for as long as one statvfs.
// Thread model: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "block/limits.h"
#include "block/space.h"

namespace kiln::control {

// What must be there beside the reserve before anything is begun, or a paused guest goes on: the
// largest write. So while a guest waits for space, nobody else is given any.
inline constexpr std::uint64_t kLeastRoom = block::kMaxRequestBytes;

// The code that EC2 has for it: of launches, and of all that is kept as a volume or a snapshot.
enum class SpaceFor { launch, data };

// InsufficientInstanceCapacity or InsufficientVolumeCapacity when there is no room for `what` ("a
// snapshot"). The text says what is free, what is needed, and how to get it.
Status check_space(block::SpaceReserve& space, SpaceFor purpose, std::string_view what);
// The same answer for work under way that met the reserve.
Error no_space(block::SpaceReserve& space, SpaceFor purpose, std::string_view what);

// "1.5 GiB".
std::string size_text(std::uint64_t bytes);

}  // namespace kiln::control
