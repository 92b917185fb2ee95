// SPDX-License-Identifier: Apache-2.0
#include "cli/import_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/disk_source.h"
#include "cli/print.h"
#include "net/extent_stream.h"
#include "util/encoding.h"

namespace kiln::cli {
namespace {

std::string target_of(const ImportRequest& request, std::uint64_t size) {
    std::string target = fmt::format(
        "/kiln/v1/imports?architecture={}&encoding=extents&name={}&root-device-name={}&"
        "size={}",
        percent_encode(request.architecture), percent_encode(request.name),
        percent_encode(request.root_device_name), size);
    if (!request.description.empty()) {
        target += "&description=" + percent_encode(request.description);
    }
    if (!request.boot_mode.empty()) {
        target += "&boot-mode=" + percent_encode(request.boot_mode);
    }
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

Result<std::string> upload(Client& client, const ImportRequest& request) {
    TRY_ASSIGN(const auto disk, open_disk(request.file, request.format));
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
    const auto answer = upload(**client, request);
    if (!answer) {
        return fail(answer.error());
    }
    if (request.json) {
        std::puts(answer->c_str());
        return 0;
    }
    const auto document = nlohmann::json::parse(*answer);
    std::printf("image     %s\nsnapshot  %s\nvolume    %u GiB, %.1f MiB of data\n",
                document["imageId"].get<std::string>().c_str(),
                document["snapshotId"].get<std::string>().c_str(),
                document["volumeSizeGiB"].get<unsigned>(),
                document["dataBytes"].get<double>() / (1 << 20));
    return 0;
}

}  // namespace kiln::cli
