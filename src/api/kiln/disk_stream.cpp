// SPDX-License-Identifier: Apache-2.0
#include "api/kiln/disk_stream.h"

#include "control/api_errors.h"

namespace kiln::api {
namespace {

// Small extents travel together.
constexpr std::size_t kSendBytes = 256U << 10;

Status as_client_error(Status status) {
    if (!status && status.error().code() == Code::invalid_argument) {
        return control::errors::invalid_parameter_value(status.error().message());
    }
    return status;
}

}  // namespace

Status DiskIntake::take(ByteView piece) {
    if (!extents_) {
        return import_.write(piece);
    }
    return as_client_error(
        decoder_.feed(piece, [this](std::uint64_t offset, ByteView data) -> Status {
            TRY(import_.skip_to(offset));
            return import_.write(data);
        }));
}

Status DiskIntake::finish() {
    if (!extents_) {
        return ok();
    }
    TRY(as_client_error(decoder_.finish()));
    return import_.skip_to(import_.size_bytes());
}

Status send_disk(control::DiskExport& disk, net::ResponseWriter& response, Deadline deadline) {
    TRY(response.begin(std::nullopt));
    Bytes buffer(net::kExtentMagic.begin(), net::kExtentMagic.end());
    const auto put = [&buffer](std::uint64_t offset, ByteView data) {
        const auto header =
            net::encode_extent_header(offset, static_cast<std::uint32_t>(data.size()));
        buffer.insert(buffer.end(), header.begin(), header.end());
        buffer.insert(buffer.end(), data.begin(), data.end());
    };
    TRY(disk.copy([&](std::uint64_t offset, ByteView data) -> Status {
        put(offset, data);
        if (buffer.size() >= kSendBytes) {
            TRY(response.write(buffer, deadline));
            buffer.clear();
        }
        return ok();
    }));
    put(disk.size_bytes(), {});
    TRY(response.write(buffer, deadline));
    return response.finish(deadline);
}

}  // namespace kiln::api
