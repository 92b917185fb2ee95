// SPDX-License-Identifier: Apache-2.0
#include "cli/export_command.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/disk_target.h"
#include "cli/print.h"
#include "net/extent_stream.h"
#include "util/encoding.h"

namespace kiln::cli {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxDiskBytes = 64ULL << 40;

struct Source {
    std::string snapshot_id;
    std::uint64_t size_bytes = 0;
};

struct Exported {
    Source source;
    std::uint64_t data_bytes = 0;
};

Result<Source> find_source(Client& client, const std::string& id) {
    if (!id.starts_with("ami-") && !id.starts_with("snap-")) {
        return Error(Code::invalid_argument,
                     "'" + id +
                         "' is neither an image (ami-...) nor a snapshot (snap-...). To "
                         "export a volume, make a snapshot of it");
    }
    TRY_ASSIGN(const std::string answer,
               client.call("GET", "/kiln/v1/disks/" + percent_encode(id)));
    const json document = json::parse(answer, nullptr, false);
    if (!document.is_object() || !document.contains("snapshotId") ||
        !document["snapshotId"].is_string() || !document.contains("sizeBytes") ||
        !document["sizeBytes"].is_number_unsigned()) {
        return Error(Code::internal, "the service's answer is not understood");
    }
    Source source{document["snapshotId"].get<std::string>(),
                  document["sizeBytes"].get<std::uint64_t>()};
    if (source.size_bytes == 0 || source.size_bytes > kMaxDiskBytes) {
        return Error(Code::internal, "the service tells an impossible size of the disk");
    }
    return source;
}

// Progress by the place on the disk: how much data is to come is not known before.
Result<std::uint64_t> copy(Client& client, const Source& source, DiskTarget& target,
                           Progress& progress) {
    net::ExtentDecoder decoder(source.size_bytes);
    std::uint64_t data = 0;
    std::uint64_t at = 0;
    const auto take = [&](std::uint64_t offset, ByteView bytes) -> Status {
        TRY(target.write(offset, bytes));
        data += bytes.size();
        progress.advance(offset + bytes.size() - at);
        at = offset + bytes.size();
        return ok();
    };
    Status loaded =
        client.download("/kiln/v1/snapshots/" + percent_encode(source.snapshot_id) + "/data",
                        [&](ByteView piece) { return decoder.feed(piece, take); });
    if (!loaded && loaded.error().code() == Code::unavailable) {
        return Error(Code::unavailable, loaded.error().message() +
                                            "; if the service still runs, its log says why it "
                                            "broke off. Otherwise export again");
    }
    TRY(std::move(loaded));
    TRY(decoder.finish());
    progress.advance(source.size_bytes - at);
    return data;
}

Result<Exported> export_disk(const ClientChoices& choices, const ExportRequest& request) {
    InterruptGuard guard;
    TRY_ASSIGN(const auto client, Client::create(choices));
    Exported exported;
    TRY_ASSIGN(exported.source, find_source(*client, request.id));
    TRY_ASSIGN(const auto file, OutputFile::create(request.file, request.force, guard));
    TRY_ASSIGN(const auto target,
               make_disk(*file, request.format, exported.source.size_bytes, guard));
    Progress progress("exporting " + request.id, exported.source.size_bytes);
    TRY_ASSIGN(exported.data_bytes, copy(*client, exported.source, *target, progress),
               "nothing was kept of the export");
    TRY(target->finish());
    TRY(file->commit());
    return exported;
}

}  // namespace

int run_export(const ClientChoices& choices, const ExportRequest& request) {
    const auto exported = export_disk(choices, request);
    if (!exported) {
        return fail(exported.error());
    }
    const Source& source = exported->source;
    if (request.json) {
        std::puts(json{{"file", request.file},
                       {"format", request.format},
                       {"snapshotId", source.snapshot_id},
                       {"sizeBytes", source.size_bytes},
                       {"dataBytes", exported->data_bytes}}
                      .dump()
                      .c_str());
        return 0;
    }
    std::printf("file      %s (%s)\nsnapshot  %s\nsize      %.1f GiB, %.1f MiB of data\n",
                request.file.c_str(), request.format.c_str(), source.snapshot_id.c_str(),
                static_cast<double>(source.size_bytes) / (1 << 30),
                static_cast<double>(exported->data_bytes) / (1 << 20));
    return 0;
}

}  // namespace kiln::cli
