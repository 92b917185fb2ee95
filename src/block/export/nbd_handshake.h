// SPDX-License-Identifier: Apache-2.0
// Handshake: the option phase of fixed-newstyle NBD as a state machine over bytes, without sockets:
// give it what the client sent, send what it answers, until it says that transmission begins or
// that the connection ends.
//
// Takes any bytes; bounded by kMaxOptionBytes and kMaxOptions. Names the export by its name or by
// "". Thread model: one owner thread.
#pragma once

#include "block/export/nbd_protocol.h"

namespace kiln::block::nbd {

class Handshake {
  public:
    enum class State { more, transmission, closed };

    explicit Handshake(ExportInfo info) : info_(std::move(info)) {}

    // What the server says first.
    static Bytes greeting();
    // Consumes whole messages from the front of `input`, appends answers to `output`; returns how
    // much it took. The rest must be given again with more behind it. Once the state is not `more`,
    // nothing is taken.
    std::size_t feed(ByteView input, Bytes& output);
    State state() const { return state_; }
    const Negotiated& negotiated() const { return negotiated_; }
    // The largest message that feed() waits for to be whole.
    static constexpr std::size_t kMaxMessageBytes = 16 + (64U << 10);

  private:
    void client_flags(std::uint32_t flags);
    void option(std::uint32_t code, ByteView data, Bytes& output);
    void export_name(ByteView data, Bytes& output);
    void list(ByteView data, Bytes& output);
    void info(Option option, ByteView data, Bytes& output);
    void structured_reply(ByteView data, Bytes& output);
    void meta_context(Option option, ByteView data, Bytes& output);
    void reply(std::uint32_t option, OptionReply type, ByteView data, Bytes& output);
    void refuse(Option option, OptionReply type, std::string_view message, Bytes& output);
    bool known(std::string_view name) const { return name.empty() || name == info_.name; }

    const ExportInfo info_;
    State state_ = State::more;
    bool flags_seen_ = false;
    bool no_zeroes_ = false;
    std::uint32_t options_ = 0;
    Negotiated negotiated_;
};

}  // namespace kiln::block::nbd
