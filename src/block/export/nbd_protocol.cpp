// SPDX-License-Identifier: Apache-2.0
#include "block/export/nbd_protocol.h"

#include "block/limits.h"
#include "util/check.h"

namespace kiln::block::nbd {
namespace {

std::uint16_t allowed_flags(Command command, const Negotiated& negotiated) {
    // FUA is legal with every command when it is offered, and means something only for those that
    // change data.
    switch (command) {
        case Command::read:
            return kCmdFua | (negotiated.structured ? kCmdDf : 0);
        case Command::write_zeroes:
            return kCmdFua | kCmdNoHole | kCmdFastZero;
        case Command::block_status:
            return kCmdFua | kCmdReqOne;
        case Command::write:
        case Command::disc:
        case Command::flush:
        case Command::trim:
        case Command::cache:
            return kCmdFua;
    }
    return 0;
}

bool changes_data(Command command) {
    return command == Command::write || command == Command::trim ||
           command == Command::write_zeroes;
}

NbdError check_range(const Request& request, const ExportInfo& info) {
    std::uint64_t end = 0;
    if (checked_add(request.offset, request.length, end) && end <= info.size_bytes) {
        // The protocol leaves empty ranges open. There is nothing to do for them; but an answer to
        // block status has at least one extent.
        return request.length == 0 && request.command == Command::block_status ? NbdError::einval
                                                                               : NbdError::none;
    }
    const bool fills =
        request.command == Command::write || request.command == Command::write_zeroes;
    return fills ? NbdError::enospc : NbdError::einval;
}

}  // namespace

NbdError to_nbd(const Error& error) {
    switch (error.code()) {
        case Code::invalid_argument:
            return NbdError::einval;
        case Code::out_of_space:
            return NbdError::enospc;
        case Code::permission_denied:
        case Code::failed_precondition:
            return NbdError::eperm;
        case Code::resource_exhausted:
            return NbdError::enomem;
        case Code::unsupported:
            return NbdError::enotsup;
        case Code::cancelled:
        case Code::unavailable:
            return NbdError::eshutdown;
        case Code::not_found:
        case Code::already_exists:
        case Code::unauthenticated:
        case Code::deadline_exceeded:
        case Code::conflict:
        case Code::data_loss:
        case Code::io_error:
        case Code::internal:
            return NbdError::eio;
    }
    return NbdError::eio;
}

std::uint16_t ExportInfo::flags() const {
    const std::uint16_t common = kHasFlags | kSendFlush | kSendFua | kSendDf | kCanMultiConn;
    return read_only ? common | kReadOnly : common | kSendTrim | kSendWriteZeroes | kSendFastZero;
}

std::optional<Request> decode_request(ByteView bytes) {
    INVARIANT(bytes.size() == kRequestBytes);
    if (get_be<std::uint32_t>(&bytes[0]) != kRequestMagic) {
        return std::nullopt;
    }
    return Request{.flags = get_be<std::uint16_t>(&bytes[4]),
                   .command = static_cast<Command>(get_be<std::uint16_t>(&bytes[6])),
                   .cookie = get_be<std::uint64_t>(&bytes[8]),
                   .offset = get_be<std::uint64_t>(&bytes[16]),
                   .length = get_be<std::uint32_t>(&bytes[24])};
}

NbdError check_request(const Request& request, const ExportInfo& info,
                       const Negotiated& negotiated) {
    const Command command = request.command;
    if (command > Command::block_status || command == Command::cache) {
        return NbdError::einval;  // cache is not offered
    }
    if ((request.flags & ~allowed_flags(command, negotiated)) != 0) {
        return NbdError::einval;
    }
    if (command == Command::flush || command == Command::disc) {
        return NbdError::none;
    }
    if (changes_data(command) && info.read_only) {
        return NbdError::eperm;
    }
    if (command == Command::block_status && !negotiated.base_allocation) {
        return NbdError::einval;
    }
    if ((command == Command::read || command == Command::write) &&
        request.length > kMaxRequestBytes) {
        return (request.flags & kCmdDf) != 0 ? NbdError::eoverflow : NbdError::einval;
    }
    return check_range(request, info);
}

Bytes simple_reply(std::uint64_t cookie, NbdError error) {
    Bytes out;
    out.reserve(16);
    put<std::uint32_t>(out, kSimpleReplyMagic);
    put(out, static_cast<std::uint32_t>(error));
    put(out, cookie);
    return out;
}

Bytes structured_reply(std::uint64_t cookie, Chunk type, std::uint32_t payload) {
    Bytes out;
    out.reserve(32);
    put<std::uint32_t>(out, kStructuredReplyMagic);
    put<std::uint16_t>(out, kChunkDone);  // one chunk answers everything
    put(out, static_cast<std::uint16_t>(type));
    put(out, cookie);
    put(out, payload);
    return out;
}

Bytes read_reply(const Request& request, const Negotiated& negotiated) {
    if (!negotiated.structured) {
        return simple_reply(request.cookie, NbdError::none);
    }
    Bytes out = structured_reply(request.cookie, Chunk::offset_data, 8 + request.length);
    put(out, request.offset);
    return out;
}

Bytes status_reply(const Request& request, const Negotiated& negotiated, NbdError error) {
    if (!negotiated.structured) {
        return simple_reply(request.cookie, error);
    }
    if (error == NbdError::none) {
        return structured_reply(request.cookie, Chunk::none, 0);
    }
    Bytes out = structured_reply(request.cookie, Chunk::error, 6);
    put(out, static_cast<std::uint32_t>(error));
    put<std::uint16_t>(out, 0);  // length of a message for people
    return out;
}

}  // namespace kiln::block::nbd
