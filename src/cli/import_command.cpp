// SPDX-License-Identifier: Apache-2.0
#include "cli/import_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/disk_source.h"
#include "cli/print.h"
#include "disks/inspection.h"
#include "disks/reader.h"
#include "net/extent_stream.h"
#include "util/encoding.h"
#include "util/own_program.h"

namespace kiln::cli {
namespace {

std::string target_of(const ImportRequest& request, std::uint64_t size) {
    std::string target = fmt::format("/kiln/v1/imports?encoding=extents&size={}", size);
    const auto add = [&target](const char* name, const std::string& value) {
        if (!value.empty()) {
            target += fmt::format("&{}={}", name, percent_encode(value));
        }
    };
    add("name", request.name);
    add("description", request.description);
    add("image-id", request.image_id);
    add("architecture", request.architecture);
    add("virtualization-type", request.virtualization_type);
    add("platform", request.platform);
    add("boot-mode", request.boot_mode);
    add("root-device-name", request.root_device_name);
    add("public", request.everybody ? "true" : "");
    add("parameter", request.parameter);
    return target;
}

// The stream of one disk, piece by piece (docs/formats/extent-stream.md).
class ExtentUpload {
  public:
    ExtentUpload(DiskSource& disk, std::vector<DiskExtent> extents, Progress& progress)
        : disk_(disk), progress_(progress) {
        for (DiskExtent& extent : extents) {
            while (extent.length > 0) {
                const std::uint64_t part = std::min<std::uint64_t>(extent.length, kPieceBytes);
                pieces_.push_back({extent.offset, part});
                extent = {extent.offset + part, extent.length - part};
            }
        }
    }

    std::uint64_t length() const {
        std::uint64_t total = net::kExtentMagic.size() + net::kExtentHeaderBytes;
        for (const DiskExtent& piece : pieces_) {
            total += net::kExtentHeaderBytes + piece.length;
        }
        return total;
    }
    // What is there is given out before the next piece is read.
    Result<std::size_t> next(MutableByteView out) {
        if (sent_ == buffer_.size()) {
            TRY(fill());
        }
        const std::size_t part = std::min(out.size(), buffer_.size() - sent_);
        std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(sent_), part, out.begin());
        sent_ += part;
        return part;
    }

  private:
    static constexpr std::uint64_t kPieceBytes = 1U << 20;

    Status fill() {
        buffer_.clear();
        sent_ = 0;
        if (!begun_) {
            begun_ = true;
            buffer_.assign(net::kExtentMagic.begin(), net::kExtentMagic.end());
        }
        const bool end = next_ == pieces_.size();
        const DiskExtent piece = end ? DiskExtent{disk_.size_bytes(), 0} : pieces_[next_];
        const auto header =
            net::encode_extent_header(piece.offset, static_cast<std::uint32_t>(piece.length));
        buffer_.insert(buffer_.end(), header.begin(), header.end());
        const std::size_t at = buffer_.size();
        buffer_.resize(at + piece.length);
        ++next_;
        progress_.advance(piece.length);
        return end ? ok() : disk_.read(piece.offset, MutableByteView(buffer_).subspan(at));
    }

    DiskSource& disk_;
    Progress& progress_;
    std::vector<DiskExtent> pieces_;
    std::size_t next_ = 0;
    bool begun_ = false;
    Bytes buffer_;
    std::size_t sent_ = 0;
};

// What an image may be called (IMGN-1).
std::string as_image_name(std::string name) {
    constexpr std::string_view kOthers = " ()[]./-'@_";
    for (char& c : name) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || kOthers.find(c) != std::string_view::npos;
        c = plain ? c : '-';
    }
    name.resize(std::min<std::size_t>(name.size(), 128));
    return name.size() < 3 ? name + "-image" : name;
}

std::string usual_name(const disks::Inspection& disk, const ImportRequest& request) {
    const disks::System* system = disk.system();
    if (system == nullptr || system->id.empty()) {
        return as_image_name(std::filesystem::path(request.file).stem().string());
    }
    return as_image_name(system->id + (system->version.empty() ? "" : "-" + system->version) + "-" +
                         request.architecture);
}

// What the user said stands; what the disk says fills in the rest, where the two agree (DSK-1).
void complete(const disks::Inspection& disk, ImportRequest& request) {
    const disks::BootFacts facts = disks::boot_facts(disk.layout);
    const bool hvm = request.virtualization_type == "hvm";
    if (request.architecture.empty()) {
        const std::string found = disk.architecture();
        request.architecture = found.empty() ? "x86_64" : found;
    }
    const bool agree = facts.architecture.empty() || facts.architecture == request.architecture ||
                       (request.architecture == "i386" && facts.boot_mode == "legacy-bios");
    if (request.boot_mode.empty() && hvm && agree) {
        request.boot_mode = facts.boot_mode;
    }
    if (request.root_device_name.empty()) {
        request.root_device_name = disks::usual_root_device(disk, hvm);
    }
    if (request.name.empty()) {
        request.name = usual_name(disk, request);
    }
    if (request.description.empty() && disk.system() != nullptr) {
        request.description = disk.system()->name;
    }
}

Result<disks::Inspection> inspect(DiskSource& disk) {
    TRY_ASSIGN(const std::string program, own_program());
    return disks::inspect_disk(
        disk.size_bytes(),
        [&disk](std::uint64_t offset, MutableByteView into) { return disk.read(offset, into); },
        program);
}

// Before the upload, so that a large one may be broken off.
std::vector<std::string> warn(const disks::Inspection& disk, const ImportRequest& request) {
    std::vector<std::string> warnings = disks::boot_warnings(disk);
    for (const std::string& warning : warnings) {
        std::fprintf(stderr, "kiln: warning: %s does not look bootable. %s\n", request.file.c_str(),
                     warning.c_str());
    }
    const auto claims = disks::claim_warnings(
        disk, {request.architecture, request.boot_mode, request.virtualization_type == "hvm"});
    for (const std::string& warning : claims) {
        std::fprintf(stderr, "kiln: warning: %s\n", warning.c_str());
    }
    warnings.insert(warnings.end(), claims.begin(), claims.end());
    return warnings;
}

struct Detected {
    disks::Inspection disk;
    std::vector<std::string> warnings;
};

Result<std::string> upload(Client& client, ImportRequest& request, Detected& detected) {
    TRY_ASSIGN(const auto disk, open_disk(request.file, request.format));
    TRY_ASSIGN(detected.disk, inspect(*disk));
    complete(detected.disk, request);
    detected.warnings = warn(detected.disk, request);
    TRY_ASSIGN(auto extents, disk->extents());
    std::uint64_t data = 0;
    for (const DiskExtent& extent : extents) {
        data += extent.length;
    }
    Progress progress("importing " + request.file, data);
    ExtentUpload stream(*disk, std::move(extents), progress);
    return client.upload(target_of(request, disk->size_bytes()), stream.length(),
                         [&](MutableByteView out) { return stream.next(out); });
}

int print_made(const nlohmann::json& made, const ImportRequest& request, const Detected& detected) {
    if (request.json) {
        nlohmann::json document = made;
        document["layout"] = disks::describe_layout(detected.disk.layout);
        document["name"] = request.name;
        document["architecture"] = request.architecture;
        document["bootMode"] = request.boot_mode;
        document["rootDeviceName"] = request.root_device_name;
        document["detected"] = nlohmann::json::parse(disks::inspection_json(detected.disk));
        document["warnings"] = detected.warnings;
        std::puts(document.dump().c_str());
        return 0;
    }
    std::printf("disk      %s\nsystem    %s\nboots as  %s%s%s\n",
                disks::describe_layout(detected.disk.layout).c_str(),
                disks::describe_system(detected.disk).c_str(), request.architecture.c_str(),
                request.boot_mode.empty() ? "" : ", ", request.boot_mode.c_str());
    std::printf("image     %s  %s\nsnapshot  %s\nvolume    %u GiB, %.1f MiB of data\n",
                made["imageId"].get<std::string>().c_str(), request.name.c_str(),
                made["snapshotId"].get<std::string>().c_str(),
                made["volumeSizeGiB"].get<unsigned>(), made["dataBytes"].get<double>() / (1 << 20));
    return 0;
}

}  // namespace

int run_import(const ClientChoices& choices, ImportRequest request) {
    auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    Detected detected;
    const auto answer = upload(**client, request, detected);
    if (!answer) {
        return fail(answer.error());
    }
    return print_made(nlohmann::json::parse(*answer), request, detected);
}

}  // namespace kiln::cli
