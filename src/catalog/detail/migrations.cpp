// SPDX-License-Identifier: Apache-2.0
#include "catalog/detail/migrations.h"

#include "catalog/detail/attachment_list.h"
#include "catalog/detail/row_crc.h"
#include "catalog/migrations/scripts.h"
#include "catalog/store.h"
#include "util/strings.h"

namespace kiln::catalog::detail {

namespace {

constexpr std::string_view kSchemaKey = "schema";

Result<int> schema_number(SqlSession& session) {
    TRY(
        session.script("CREATE TABLE IF NOT EXISTS meta ("
                       "name TEXT NOT NULL PRIMARY KEY, content TEXT NOT NULL);"));
    TRY_ASSIGN(const auto stored, Meta(session).find(kSchemaKey));
    if (!stored) {
        return 0;
    }
    const auto number = parse_int<int>(*stored);
    if (!number || *number < 0) {
        return Error(Code::data_loss, "the catalog's schema number is '" + *stored + "'");
    }
    return *number;
}

}  // namespace

std::span<const Migration> migrations() {
    // A function-local table: the scripts it names are initialised in other source files.
    static const Migration kSteps[] = {
        {1, "initial", k0001Initial},
        {2, "packs", k0002Packs},
        {3, "key pairs", k0003KeyPairs},
        {4, "network", k0004Network},
        {5, "identity", k0005Identity},
        {6, "check sums of rows", k0006RowCrc, fill_row_crcs},
        {7, "spare layers", k0007SpareLayers},
        {8, "volume modifications", k0008VolumeModifications},
        {9, "disk transport", k0009DiskTransport},
        {10, "sharing", k0010Sharing},
        {11, "launch templates", k0011LaunchTemplates},
        {12, "block uploads", k0012BlockUploads},
        {13, "volume health, replaced roots", k0013VolumeHealth},
        {14, "relations", k0014Relations},
        {15, "vpcs", k0015Vpcs},
        {16, "zones", k0016Zones},
        {17, "multi attach", k0017MultiAttach, list_attachments},
    };
    return kSteps;
}

Status migrate(SqlSession& session, std::span<const Migration> steps) {
    TRY_ASSIGN(const int stored, schema_number(session));
    const int known = static_cast<int>(steps.size());
    if (stored > known) {
        return Error(Code::failed_precondition,
                     "the catalog was written by a newer kiln (schema " + std::to_string(stored) +
                         ", this program knows " + std::to_string(known) +
                         "): use that version or a later one");
    }
    for (int number = stored + 1; number <= known; ++number) {
        const Migration& step = steps[static_cast<std::size_t>(number) - 1];
        INVARIANT_MSG(step.number == number, "migrations are numbered 1, 2, 3, ... in order");
        TRY(session.script(std::string(step.sql)), "migration " + std::string(step.name));
        if (step.then != nullptr) {
            TRY(step.then(session), "migration " + std::string(step.name));
        }
        TRY(Meta(session).set(kSchemaKey, std::to_string(number)));
    }
    return ok();
}

}  // namespace kiln::catalog::detail
