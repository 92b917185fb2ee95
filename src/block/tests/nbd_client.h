// SPDX-License-Identifier: Apache-2.0
// A small blocking NBD client, and an engine with one exported volume, for tests of the protocol.
// Thread model: one owner thread beside the engine's.
#pragma once

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "block/engine.h"
#include "block/export/nbd_protocol.h"
#include "block/tests/support.h"
#include "util/fs.h"

namespace kiln::block::testing {

class NbdClient {
  public:
    explicit NbdClient(const std::string& path)
        : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.c_str(), path.size());
        REQUIRE(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        const timeval limit{.tv_sec = 20, .tv_usec = 0};  // a hang becomes a failure
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }

    void send(ByteView bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n < 0 && errno == EINTR) {
                continue;
            }
            REQUIRE(n > 0);
            bytes = bytes.subspan(static_cast<std::size_t>(n));
        }
    }
    Bytes receive(std::size_t count) {
        Bytes bytes(count);
        std::size_t got = 0;
        while (got < count) {
            const ssize_t n = ::recv(fd_.get(), bytes.data() + got, count - got, 0);
            if (n < 0 && errno == EINTR) {
                continue;  // with a time-out it is not restarted by itself
            }
            REQUIRE(n > 0);
            got += static_cast<std::size_t>(n);
        }
        return bytes;
    }
    template <class T>
    T number() {
        return get_be<T>(receive(sizeof(T)).data());
    }
    // The server has closed, with nothing more to say.
    bool closed() {
        std::uint8_t byte;
        ssize_t n = -1;
        do {
            n = ::recv(fd_.get(), &byte, 1, 0);
        } while (n < 0 && errno == EINTR);
        return n == 0 || (n < 0 && errno == ECONNRESET);  // reset: it left bytes of ours unread
    }
    void disconnect() { fd_.reset(); }

    void greet(std::uint32_t flags = 3) {
        CHECK(number<std::uint64_t>() == nbd::kInitMagic);
        CHECK(number<std::uint64_t>() == nbd::kOptionMagic);
        CHECK(number<std::uint16_t>() == 3);
        Bytes out;
        nbd::put(out, flags);
        send(out);
    }
    void option(nbd::Option option, ByteView data) {
        Bytes out;
        nbd::put(out, nbd::kOptionMagic);
        nbd::put(out, static_cast<std::uint32_t>(option));
        nbd::put(out, static_cast<std::uint32_t>(data.size()));
        out.insert(out.end(), data.begin(), data.end());
        send(out);
    }
    // Type and data of the next reply to an option.
    std::pair<nbd::OptionReply, Bytes> option_reply(nbd::Option option) {
        CHECK(number<std::uint64_t>() == nbd::kOptionReplyMagic);
        CHECK(number<std::uint32_t>() == static_cast<std::uint32_t>(option));
        const auto type = static_cast<nbd::OptionReply>(number<std::uint32_t>());
        return {type, receive(number<std::uint32_t>())};
    }
    void expect_ack(nbd::Option option) {
        CHECK(option_reply(option).first == nbd::OptionReply::ack);
    }

    static Bytes named(std::string_view name) {
        Bytes data;
        nbd::put(data, static_cast<std::uint32_t>(name.size()));
        nbd::put(data, name);
        return data;
    }
    // GO for `name`; the export's size and flags.
    std::pair<std::uint64_t, std::uint16_t> go(std::string_view name = "") {
        Bytes data = named(name);
        nbd::put<std::uint16_t>(data, 0);
        option(nbd::Option::go, data);
        const auto [type, info] = option_reply(nbd::Option::go);
        REQUIRE(type == nbd::OptionReply::info);
        REQUIRE(info.size() == 12);
        expect_ack(nbd::Option::go);
        return {get_be<std::uint64_t>(&info[2]), get_be<std::uint16_t>(&info[10])};
    }
    void use_structured() {
        option(nbd::Option::structured_reply, {});
        expect_ack(nbd::Option::structured_reply);
    }
    void use_base_allocation() {
        Bytes data = named("");
        nbd::put<std::uint32_t>(data, 1);
        const Bytes query = named(nbd::kBaseAllocation);
        data.insert(data.end(), query.begin(), query.end());
        option(nbd::Option::set_meta_context, data);
        CHECK(option_reply(nbd::Option::set_meta_context).first == nbd::OptionReply::meta_context);
        expect_ack(nbd::Option::set_meta_context);
    }
    // Handshake with everything, ready for requests.
    void ready() {
        greet();
        use_structured();
        use_base_allocation();
        go();
    }

    void request(nbd::Command command, std::uint64_t offset, std::uint32_t length,
                 std::uint64_t cookie, std::uint16_t flags = 0, ByteView payload = {}) {
        Bytes out;
        nbd::put(out, nbd::kRequestMagic);
        nbd::put(out, flags);
        nbd::put(out, static_cast<std::uint16_t>(command));
        nbd::put(out, cookie);
        nbd::put(out, offset);
        nbd::put(out, length);
        out.insert(out.end(), payload.begin(), payload.end());
        send(out);
    }
    struct Chunk {
        nbd::Chunk type{};
        std::uint64_t cookie = 0;
        Bytes payload;
        // The error it carries; 0 for success.
        std::uint32_t error() const {
            return type == nbd::Chunk::error ? get_be<std::uint32_t>(payload.data()) : 0;
        }
    };
    Chunk chunk() {
        CHECK(number<std::uint32_t>() == nbd::kStructuredReplyMagic);
        CHECK(number<std::uint16_t>() == nbd::kChunkDone);
        Chunk chunk;
        chunk.type = static_cast<nbd::Chunk>(number<std::uint16_t>());
        chunk.cookie = number<std::uint64_t>();
        chunk.payload = receive(number<std::uint32_t>());
        return chunk;
    }
    Chunk call(nbd::Command command, std::uint64_t offset, std::uint32_t length,
               std::uint16_t flags = 0, ByteView payload = {}) {
        request(command, offset, length, ++cookie_, flags, payload);
        Chunk answer = chunk();
        CHECK(answer.cookie == cookie_);
        return answer;
    }
    Chunk write(std::uint64_t offset, ByteView data, std::uint16_t flags = 0) {
        return call(nbd::Command::write, offset, static_cast<std::uint32_t>(data.size()), flags,
                    data);
    }
    Bytes read(std::uint64_t offset, std::uint32_t length) {
        const Chunk answer = call(nbd::Command::read, offset, length);
        REQUIRE(answer.type == nbd::Chunk::offset_data);
        CHECK(get_be<std::uint64_t>(answer.payload.data()) == offset);
        return {answer.payload.begin() + 8, answer.payload.end()};
    }

  private:
    UniqueFd fd_;
    std::uint64_t cookie_ = 0;
};

// An engine over a temporary directory.
class TestEngine {
  public:
    explicit TestEngine(io::Backend backend = io::Backend::automatic, Geometry geometry = kSmall)
        : clock_(io::make_system_clock()), rng_(io::make_system_rng()) {
        options.directory = dir / "layers";
        options.store_uuid = "store";
        options.backend = backend;
        options.geometry = geometry;
        options.boot_id = "boot-1";
        options.reactors = 2;
        start();
    }
    void start() {
        ImageTier tier = images.tier();
        if (change_tier) {
            change_tier(tier);
        }
        auto made = Engine::create(options, std::move(tier), contents, *clock_, *rng_);
        REQUIRE_MESSAGE(made, made.error().to_string());
        engine_ = *std::move(made);
    }
    void restart() {
        engine_.reset();
        start();
    }
    Engine* operator->() { return engine_.get(); }
    Status open(const std::string& id, std::uint64_t size, const std::string& base = "") {
        return engine_->open_volume({VolumeId(id), size, ContentId(base), LayerId("l-" + id), true},
                                    soon());
    }

    TempDir dir;
    TestContents contents;
    KeptImages images;
    EngineOptions options;
    std::function<void(ImageTier&)> change_tier;  // before each start

  private:
    std::unique_ptr<io::Clock> clock_;
    std::unique_ptr<io::Rng> rng_;
    std::unique_ptr<Engine> engine_;
};

}  // namespace kiln::block::testing
