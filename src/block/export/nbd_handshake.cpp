// SPDX-License-Identifier: Apache-2.0
#include "block/export/nbd_handshake.h"

#include "block/geometry.h"
#include "block/limits.h"

namespace kiln::block::nbd {
namespace {

constexpr std::size_t kOptionHeaderBytes = 16;
static_assert(Handshake::kMaxMessageBytes == kOptionHeaderBytes + kMaxOptionBytes);

// Big-endian fields of an option's data.
class Fields {
  public:
    explicit Fields(ByteView data) : data_(data) {}
    template <class T>
    T number() {
        if (!ok_ || data_.size() < sizeof(T)) {
            ok_ = false;
            return T{};
        }
        const T value = get_be<T>(data_.data());
        data_ = data_.subspan(sizeof(T));
        return value;
    }
    std::string_view text(std::size_t length) {
        if (!ok_ || data_.size() < length) {
            ok_ = false;
            return {};
        }
        const auto value = as_text(data_.first(length));
        data_ = data_.subspan(length);
        return value;
    }
    bool complete() const { return ok_ && data_.empty(); }
    bool ok() const { return ok_; }

  private:
    ByteView data_;
    bool ok_ = true;
};

}  // namespace

Bytes Handshake::greeting() {
    Bytes out;
    put(out, kInitMagic);
    put(out, kOptionMagic);
    put<std::uint16_t>(out, kFlagFixedNewstyle | kFlagNoZeroes);
    return out;
}

std::size_t Handshake::feed(ByteView input, Bytes& output) {
    std::size_t taken = 0;
    while (state_ == State::more) {
        const ByteView rest = input.subspan(taken);
        if (!flags_seen_) {
            if (rest.size() < 4) {
                break;
            }
            client_flags(get_be<std::uint32_t>(rest.data()));
            taken += 4;
            continue;
        }
        if (rest.size() < kOptionHeaderBytes) {
            break;
        }
        const auto code = get_be<std::uint32_t>(&rest[8]);
        const auto length = get_be<std::uint32_t>(&rest[12]);
        if (get_be<std::uint64_t>(rest.data()) != kOptionMagic || length > kMaxOptionBytes ||
            options_ > kMaxOptions) {
            state_ = State::closed;
            break;
        }
        if (rest.size() - kOptionHeaderBytes < length) {
            break;
        }
        taken += kOptionHeaderBytes + length;
        ++options_;
        option(code, rest.subspan(kOptionHeaderBytes, length), output);
    }
    return taken;
}

void Handshake::client_flags(std::uint32_t flags) {
    flags_seen_ = true;
    no_zeroes_ = (flags & kFlagNoZeroes) != 0;
    if ((flags & ~std::uint32_t{kFlagFixedNewstyle | kFlagNoZeroes}) != 0) {
        state_ = State::closed;  // the protocol demands it: an unknown flag may change what follows
    }
}

void Handshake::option(std::uint32_t code, ByteView data, Bytes& output) {
    switch (static_cast<Option>(code)) {
        case Option::export_name:
            return export_name(data, output);
        case Option::abort:
            reply(code, OptionReply::ack, {}, output);
            state_ = State::closed;
            return;
        case Option::list:
            return list(data, output);
        case Option::info:
        case Option::go:
            return info(static_cast<Option>(code), data, output);
        case Option::structured_reply:
            return structured_reply(data, output);
        case Option::list_meta_context:
        case Option::set_meta_context:
            return meta_context(static_cast<Option>(code), data, output);
        case Option::starttls:
            break;
    }
    refuse(static_cast<Option>(code), OptionReply::err_unsup, "not offered", output);
}

void Handshake::reply(std::uint32_t option, OptionReply type, ByteView data, Bytes& output) {
    put(output, kOptionReplyMagic);
    put(output, option);
    put(output, static_cast<std::uint32_t>(type));
    put(output, static_cast<std::uint32_t>(data.size()));
    output.insert(output.end(), data.begin(), data.end());
}

void Handshake::refuse(Option option, OptionReply type, std::string_view message, Bytes& output) {
    reply(static_cast<std::uint32_t>(option), type, as_bytes(message), output);
}

void Handshake::export_name(ByteView data, Bytes& output) {
    if (!known(as_text(data))) {
        state_ = State::closed;  // this old option has no way to answer with an error
        return;
    }
    put(output, info_.size_bytes);
    put(output, info_.flags());
    if (!no_zeroes_) {
        output.resize(output.size() + 124, 0);
    }
    state_ = State::transmission;
}

void Handshake::list(ByteView data, Bytes& output) {
    if (!data.empty()) {
        return refuse(Option::list, OptionReply::err_invalid, "the option has no data", output);
    }
    Bytes name;
    put(name, static_cast<std::uint32_t>(info_.name.size()));
    put(name, std::string_view(info_.name));
    const auto code = static_cast<std::uint32_t>(Option::list);
    reply(code, OptionReply::server, name, output);
    reply(code, OptionReply::ack, {}, output);
}

void Handshake::info(Option option, ByteView data, Bytes& output) {
    const auto code = static_cast<std::uint32_t>(option);
    Fields fields(data);
    const auto length = fields.number<std::uint32_t>();
    const auto name = fields.text(length);
    const auto count = fields.number<std::uint16_t>();
    bool wants_name = false;
    bool wants_block_size = false;
    for (std::uint32_t i = 0; i < count && fields.ok(); ++i) {
        const auto wanted = static_cast<Info>(fields.number<std::uint16_t>());
        wants_name = wants_name || wanted == Info::name;
        wants_block_size = wants_block_size || wanted == Info::block_size;
    }
    if (!fields.complete() || length > kMaxExportNameBytes) {
        return refuse(option, OptionReply::err_invalid, "malformed option", output);
    }
    if (!known(name)) {
        return refuse(option, OptionReply::err_unknown, "no such export", output);
    }
    Bytes out;
    put(out, static_cast<std::uint16_t>(Info::export_));
    put(out, info_.size_bytes);
    put(out, info_.flags());
    reply(code, OptionReply::info, out, output);
    if (wants_name) {
        out.clear();
        put(out, static_cast<std::uint16_t>(Info::name));
        put(out, std::string_view(info_.name));
        reply(code, OptionReply::info, out, output);
    }
    if (wants_block_size) {
        out.clear();
        put(out, static_cast<std::uint16_t>(Info::block_size));
        put<std::uint32_t>(out, 1);  // any request is fine; whole blocks are fast
        put<std::uint32_t>(out, kBlockBytes);
        put<std::uint32_t>(out, kMaxRequestBytes);
        reply(code, OptionReply::info, out, output);
    }
    reply(code, OptionReply::ack, {}, output);
    if (option == Option::go) {
        state_ = State::transmission;
    }
}

void Handshake::structured_reply(ByteView data, Bytes& output) {
    if (!data.empty() || negotiated_.structured) {
        return refuse(Option::structured_reply, OptionReply::err_invalid, "once, and without data",
                      output);
    }
    negotiated_.structured = true;
    reply(static_cast<std::uint32_t>(Option::structured_reply), OptionReply::ack, {}, output);
}

void Handshake::meta_context(Option option, ByteView data, Bytes& output) {
    const bool setting = option == Option::set_meta_context;
    if (setting) {
        negotiated_.base_allocation = false;  // each request replaces the set
    }
    if (setting && !negotiated_.structured) {
        return refuse(option, OptionReply::err_invalid, "structured replies come first", output);
    }
    Fields fields(data);
    const auto length = fields.number<std::uint32_t>();
    const auto name = fields.text(length);
    const auto queries = fields.number<std::uint32_t>();
    bool wanted = !setting && queries == 0;  // an empty list asks for everything
    for (std::uint32_t i = 0; i < queries && fields.ok(); ++i) {
        const auto query = fields.text(fields.number<std::uint32_t>());
        wanted = wanted || query == kBaseAllocation || (!setting && query == "base:");
    }
    if (!fields.complete() || length > kMaxExportNameBytes) {
        return refuse(option, OptionReply::err_invalid, "malformed option", output);
    }
    if (!known(name)) {
        return refuse(option, OptionReply::err_unknown, "no such export", output);
    }
    const auto code = static_cast<std::uint32_t>(option);
    if (wanted) {
        Bytes context;
        put(context, setting ? kBaseAllocationId : 0U);
        put(context, kBaseAllocation);
        reply(code, OptionReply::meta_context, context, output);
        negotiated_.base_allocation = negotiated_.base_allocation || setting;
    }
    reply(code, OptionReply::ack, {}, output);
}

}  // namespace kiln::block::nbd
