// SPDX-License-Identifier: Apache-2.0
// A disk of the fuzz targets' corpus, by the target's name and its own. Run from the build's
// directory, as the paths of the sources are relative to it. Thread model: plain function.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "disks/tests/sector_disk.h"
#include "util/fs.h"

namespace kiln::disks::testing {

inline SectorDisk corpus_disk(const std::string& target, const std::string& name) {
    const std::string here = __FILE__;
    const std::string file =
        here.substr(0, here.rfind("/tests/")) + "/fuzz/corpus/" + target + "/" + name;
    const auto bytes = read_file(file);
    REQUIRE_MESSAGE(bytes, file);
    return SectorDisk(as_bytes(*bytes));
}

}  // namespace kiln::disks::testing
