// SPDX-License-Identifier: Apache-2.0
// Session: one NBD connection: handshake, then many requests in flight on the volume, answered in
// the order they complete. Reading pauses while kMaxRequestsInFlight or kMaxPayloadInFlight is
// reached.
//
// Keeps itself alive while anything of it is in flight; `ended` runs once, as the last thing.
// close() disconnects: operations in flight complete unanswered. The volume outlives the session's
// end. A peer that breaks the protocol is cut off. Thread model: one owner thread.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "block/export/nbd_handshake.h"
#include "block/volume.h"
#include "io/buffer_pool.h"
#include "io/sockets.h"

namespace kiln::block::nbd {

class Session : public std::enable_shared_from_this<Session> {
  public:
    Session(io::Sockets& sockets, io::Scheduler& scheduler, Volume& volume, ExportInfo info,
            io::SocketId socket, io::Callback<> ended);
    void start();
    void close();
    // What it told the client is out of date: takes no more requests, answers those it has, and
    // ends. One in its handshake ends behind it, since a client may take a refusal there for final.
    void retire();

  private:
    enum class Phase { handshake, header, payload, discard, finishing };
    struct Reply {
        Bytes head;
        io::Buffer data;
        std::size_t counted = 0;  // payload bytes that count as in flight until this is sent
    };

    void receive();
    void received(Result<std::size_t> got);
    // Works on what is in the input until more is needed or a limit is reached.
    void process();
    bool step();  // false: cannot go on now
    bool step_handshake();
    bool step_header();
    bool step_payload();
    bool step_discard();
    bool busy() const;
    ByteView input() const {
        return input_.view().subspan(input_begin_, input_end_ - input_begin_);
    }
    void take(std::size_t bytes) { input_begin_ += bytes; }

    // At once, or when the volume's limits let it.
    void dispatch(const Request& request, io::Buffer payload);
    void perform(const Request& request, io::Buffer payload);
    void do_read(const Request& request);
    void do_block_status(const Request& request);
    Done answer(const Request& request);
    void answered(const Request& request, std::size_t counted, const Status& status);
    void send(Reply reply);
    void flush_output();
    void abandon_payload();
    void finish();  // no more requests; ends when all are answered
    void drop();    // ends now
    void maybe_end();

    io::Sockets& sockets_;
    io::Scheduler& scheduler_;
    Volume& volume_;
    const ExportInfo info_;
    const io::SocketId socket_;
    io::Callback<> ended_;
    Handshake handshake_;
    io::TimerId handshake_timer_{};
    Phase phase_ = Phase::handshake;
    bool receiving_ = false;
    bool sending_ = false;
    bool flush_posted_ = false;
    bool dropped_ = false;
    bool retired_ = false;

    io::Buffer input_;
    std::size_t input_begin_ = 0;
    std::size_t input_end_ = 0;
    bool large_payloads_ = false;
    Request request_;  // whose payload is being received or discarded
    NbdError refusal_ = NbdError::none;
    io::BufferPool buffers_;
    io::Buffer payload_;
    std::size_t payload_got_ = 0;
    std::size_t in_flight_ = 0;  // requests
    std::size_t in_flight_bytes_ = 0;
    std::vector<Reply> output_;
    std::vector<Reply> sending_replies_;
};

}  // namespace kiln::block::nbd
