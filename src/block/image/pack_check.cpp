// SPDX-License-Identifier: Apache-2.0
#include "block/image/pack_check.h"

#include <algorithm>

#include "block/image/image_limits.h"

namespace kiln::block {
namespace {

void note(PackReport& report, std::string problem) {
    if (report.problems.size() < kMaxPackProblems) {
        report.problems.push_back(std::move(problem));
    } else {
        ++report.more;
    }
}

Status check_header(ByteView pack, const std::string& store_uuid, const PackId& id) {
    if (pack.size() < kPackHeaderBytes) {
        return Error(Code::data_loss, "it is shorter than a header");
    }
    TRY_ASSIGN(const PackHeader header, decode_pack_header(pack.first(kPackHeaderBytes)));
    if (header.store_uuid != store_uuid || header.pack != id) {
        return Error(Code::data_loss, "it is another pack, or of another store");
    }
    return ok();
}

void check_entry(ByteView pack, const PackEntry& entry, PackReport& report) {
    const std::uint64_t bytes = entry_bytes(entry);
    Status fine = ok();
    if (entry.offset > pack.size() || bytes > pack.size() - entry.offset) {
        fine = Error(Code::data_loss, "it lies behind the end");
    } else if (const auto plain = open_entry(entry, pack.subspan(entry.offset, bytes)); !plain) {
        fine = plain.error();
    }
    if (!fine) {
        report.bad.push_back(entry);
        note(report, "entry " + entry.id.hex() + " at " + std::to_string(entry.offset) + ": " +
                         fine.error().message());
    }
}

// Entries follow each other from the header to the footer.
void check_order(std::vector<PackEntry> entries, std::uint64_t end, PackReport& report) {
    std::ranges::sort(entries, {}, &PackEntry::offset);
    std::uint64_t next = kPackHeaderBytes;
    for (const PackEntry& entry : entries) {
        if (entry.offset != next) {
            note(report, "bytes " + std::to_string(std::min<std::uint64_t>(next, entry.offset)) +
                             " to " + std::to_string(std::max<std::uint64_t>(next, entry.offset)) +
                             " are of no entry, or of two");
        }
        next = entry.offset + entry_bytes(entry);
    }
    if (next != end) {
        note(report, "the entries do not end where the footer begins");
    }
}

}  // namespace

PackReport check_pack(ByteView pack, const std::string& store_uuid, const PackId& id) {
    PackReport report;
    if (const Status header = check_header(pack, store_uuid, id); !header) {
        note(report, "header: " + header.error().message());
    }
    const std::size_t tail = std::min<std::size_t>(pack.size(), kPackTailBytes);
    auto footer = decode_pack_tail(pack.last(tail), pack.size());
    if (footer && (footer->header.store_uuid != store_uuid || footer->header.pack != id)) {
        footer = Error(Code::data_loss, "it is another pack, or of another store");
    }
    if (!footer) {
        note(report, "footer: " + footer.error().message());
        return report;
    }
    for (const PackEntry& entry : footer->entries) {
        check_entry(pack, entry, report);
    }
    const std::size_t footer_bytes = pack_footer_bytes(footer->entries.size());
    check_order(footer->entries, pack.size() - std::min(pack.size(), footer_bytes), report);
    report.footer = *std::move(footer);
    return report;
}

}  // namespace kiln::block
