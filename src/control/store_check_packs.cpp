// SPDX-License-Identifier: Apache-2.0
// StoreCheck, second part: packs and the chunk index.
#include <fmt/format.h>

#include <algorithm>

#include "block/image/image_limits.h"
#include "control/chunk_index.h"
#include "control/store_check.h"
#include "util/fs.h"

namespace kiln::control {
namespace {

constexpr std::size_t kPage = 500;
constexpr char kObjects[] = "objects/";

block::PackId pack_id(const model::PackRecord& pack) {
    return block::PackId::from(pack.id);
}

bool same_record(const model::PackRecord& row, const block::PackHeader& header,
                 std::uint64_t bytes) {
    const model::PackRecord told = pack_record(header, bytes, row.created);
    return told.id == row.id && told.kind == row.kind && told.digest == row.digest &&
           told.domain == row.domain && told.bytes == row.bytes;
}

}  // namespace

Status StoreCheck::check_packs(model::PackState state) {
    std::int64_t after = 0;
    while (true) {
        TRY_ASSIGN(const auto page, store_.read([&](catalog::Transaction& tx) {
            return tx.packs().list(state, after, kPage);
        }));
        for (const catalog::PackRow& row : page) {
            check_pack(row.pack);
        }
        if (page.size() < kPage) {
            return ok();
        }
        after = page.back().number;
    }
}

void StoreCheck::check_pack(const model::PackRecord& pack) {
    ++summary_.packs;
    if (pack.id.size() != block::PackId::kBytes) {
        packs_are_whole_ = false;
        find({.kind = "catalog", .subject = hex_encode(pack.id), .what = "is no id of a pack"});
        return;
    }
    const std::string file = kObjects + block::pack_name(store_.uuid(), pack_id(pack));
    const auto bytes = read_file(options_.data_directory + "/" + file, block::kMaxPackBytes);
    if (!bytes) {
        packs_are_whole_ = false;
        find({.kind = "pack", .subject = file, .what = bytes.error().message()});
        return;
    }
    const block::PackReport report =
        block::check_pack(as_bytes(*bytes), store_.uuid(), pack_id(pack));
    for (const std::string& problem : report.problems) {
        packs_are_whole_ = false;
        find({.kind = "pack", .subject = file, .what = problem});
    }
    if (report.more > 0) {
        find({.kind = "pack",
              .subject = file,
              .what = fmt::format("and {} entries more", report.more)});
    }
    if (!report.footer) {
        return;
    }
    summary_.entries += report.footer->entries.size();
    if (!same_record(pack, report.footer->header, bytes->size())) {
        find({.kind = "catalog",
              .subject = hex_encode(pack.id),
              .what = "the row of the pack says something else than its header, or its length"});
    }
    check_index(pack, *report.footer);
}

void StoreCheck::check_index(const model::PackRecord& pack, const block::PackFooter& footer) {
    std::vector<model::ChunkEntry> wanted;
    for (const block::PackEntry& entry : footer.entries) {
        wanted.push_back(chunk_entry(entry));
    }
    const auto by_id = [](const model::ChunkEntry& a, const model::ChunkEntry& b) {
        return a.id < b.id;
    };
    std::ranges::sort(wanted, by_id);
    auto there = store_.read([&](catalog::Transaction& tx) { return tx.packs().entries(pack.id); });
    if (there && *there == wanted) {
        return;
    }
    Finding finding{.kind = "index",
                    .subject = hex_encode(pack.id),
                    .what = there ? fmt::format("{} rows that are not the {} of the pack's footer",
                                                there->size(), wanted.size())
                                  : there.error().message(),
                    .mendable = true};
    if (options_.repair) {
        const Status mended = store_.run(
            [&](catalog::Transaction& tx) { return tx.packs().replace_entries(pack.id, wanted); });
        finding.mended = mended.has_value();
        if (!mended) {
            finding.what += "; not mended: " + mended.error().message();
        }
    }
    packs_are_whole_ = packs_are_whole_ && finding.mended;
    find(std::move(finding));
}

void StoreCheck::find_orphan_packs() {
    const std::string begin = "pack-" + store_.uuid() + "-";
    for (const std::string& name : files_in(kObjects)) {
        if (!name.starts_with("pack-")) {
            continue;
        }
        const auto id = hex_decode(name.substr(std::min(name.size(), begin.size())));
        bool named = false;
        if (name.starts_with(begin) && id) {
            const auto row =
                store_.read([&](catalog::Transaction& tx) { return tx.packs().find(*id); });
            named = !row || row->has_value();  // what cannot be read is told elsewhere
        }
        if (named) {
            continue;
        }
        find_orphan(kObjects + name, "a pack that the catalog does not know");
    }
}

}  // namespace kiln::control
