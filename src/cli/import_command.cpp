// SPDX-License-Identifier: Apache-2.0
#include "cli/import_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/disk_layout.h"
#include "cli/disk_source.h"
#include "cli/print.h"
#include "net/extent_stream.h"
#include "util/encoding.h"

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

// What was found on the disk and what was made of it.
struct Detected {
    std::string layout;
    std::string architecture;
    std::string boot_mode;
};

// What the user said stands; what the disk says fills in the rest, where the two agree.
Result<Detected> complete(DiskSource& disk, ImportRequest& request) {
    TRY_ASSIGN(const DiskLayout layout,
               read_layout(disk.size_bytes(), [&disk](std::uint64_t offset, MutableByteView into) {
                   return disk.read(offset, into);
               }));
    const BootFacts facts = boot_facts(layout);
    if (request.architecture.empty()) {
        request.architecture = facts.architecture.empty() ? "x86_64" : facts.architecture;
    }
    const bool agree = facts.architecture.empty() || facts.architecture == request.architecture ||
                       (request.architecture == "i386" && facts.boot_mode == "legacy-bios");
    if (request.boot_mode.empty() && request.virtualization_type == "hvm" && agree) {
        request.boot_mode = facts.boot_mode;
    }
    if (request.root_device_name.empty()) {
        request.root_device_name =
            request.virtualization_type == "paravirtual" ? "/dev/sda1" : "/dev/xvda";
    }
    return Detected{describe_layout(layout), request.architecture, request.boot_mode};
}

Result<std::string> upload(Client& client, ImportRequest request, Detected& detected) {
    TRY_ASSIGN(const auto disk, open_disk(request.file, request.format));
    TRY_ASSIGN(detected, complete(*disk, request));
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

}  // namespace

int run_import(const ClientChoices& choices, const ImportRequest& request) {
    auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    Detected detected;
    const auto answer = upload(**client, request, detected);
    if (!answer) {
        return fail(answer.error());
    }
    auto document = nlohmann::json::parse(*answer);
    if (request.json) {
        document["layout"] = detected.layout;
        document["architecture"] = detected.architecture;
        document["bootMode"] = detected.boot_mode;
        std::puts(document.dump().c_str());
        return 0;
    }
    std::printf("disk      %s\nboots as  %s%s%s\n", detected.layout.c_str(),
                detected.architecture.c_str(), detected.boot_mode.empty() ? "" : ", ",
                detected.boot_mode.c_str());
    std::printf("image     %s\nsnapshot  %s\nvolume    %u GiB, %.1f MiB of data\n",
                document["imageId"].get<std::string>().c_str(),
                document["snapshotId"].get<std::string>().c_str(),
                document["volumeSizeGiB"].get<unsigned>(),
                document["dataBytes"].get<double>() / (1 << 20));
    return 0;
}

}  // namespace kiln::cli
