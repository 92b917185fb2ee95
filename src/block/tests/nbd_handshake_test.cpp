// SPDX-License-Identifier: Apache-2.0
// The option phase of NBD over a real socket.
#include "block/export/nbd_handshake.h"

#include <doctest/doctest.h>

#include "block/tests/nbd_client.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;
using nbd::Option;
using nbd::OptionReply;

namespace {

constexpr std::uint64_t kBytes = 64 * kBlockBytes;

struct Exported {
    TestEngine engine;
    std::string socket;
    std::string read_only_socket;

    Exported() : socket(engine.dir / "s"), read_only_socket(engine.dir / "ro") {
        REQUIRE(engine.open("vol-1", kBytes));
        REQUIRE(engine->export_volume(VolumeId("vol-1"), socket, false, soon()));
        REQUIRE(engine->export_volume(VolumeId("vol-1"), read_only_socket, true, soon()));
    }
};

constexpr std::uint16_t kWritableFlags = nbd::kHasFlags | nbd::kSendFlush | nbd::kSendFua |
                                         nbd::kSendTrim | nbd::kSendWriteZeroes | nbd::kSendDf |
                                         nbd::kCanMultiConn | nbd::kSendFastZero;
constexpr std::uint16_t kReadOnlyFlags = nbd::kHasFlags | nbd::kReadOnly | nbd::kSendFlush |
                                         nbd::kSendFua | nbd::kSendDf | nbd::kCanMultiConn;

}  // namespace

TEST_CASE("GO gives size and flags, by the volume's name or the empty one") {
    Exported e;
    for (const char* name : {"", "vol-1"}) {
        NbdClient client(e.socket);
        client.greet();
        const auto [size, flags] = client.go(name);
        CHECK(size == kBytes);
        CHECK(flags == kWritableFlags);
    }
    NbdClient client(e.read_only_socket);
    client.greet();
    CHECK(client.go().second == kReadOnlyFlags);
}

TEST_CASE("INFO answers what is asked and leaves the handshake open") {
    Exported e;
    NbdClient client(e.socket);
    client.greet();
    Bytes data = NbdClient::named("");
    nbd::put<std::uint16_t>(data, 3);
    nbd::put<std::uint16_t>(data, 1);
    nbd::put<std::uint16_t>(data, 3);
    nbd::put<std::uint16_t>(data, 77);
    client.option(Option::info, data);
    CHECK(client.option_reply(Option::info).second.size() == 12);
    CHECK(as_text(ByteView(client.option_reply(Option::info).second).subspan(2)) == "vol-1");
    const Bytes sizes = client.option_reply(Option::info).second;
    CHECK(get_be<std::uint32_t>(&sizes[2]) == 1);
    CHECK(get_be<std::uint32_t>(&sizes[6]) == 4096);
    CHECK(get_be<std::uint32_t>(&sizes[10]) == 32U << 20);
    client.expect_ack(Option::info);
    client.go();
}

TEST_CASE(
    "the old EXPORT_NAME works, with and without its 124 zeros, and an unknown name ends the "
    "connection") {
    Exported e;
    for (const std::uint32_t flags : {1U, 3U}) {
        NbdClient client(e.socket);
        client.greet(flags);
        client.option(Option::export_name, as_bytes("vol-1"));
        CHECK(client.number<std::uint64_t>() == kBytes);
        CHECK(client.number<std::uint16_t>() == kWritableFlags);
        if (flags == 1) {
            CHECK(client.receive(124) == Bytes(124, 0));
        }
        client.request(nbd::Command::flush, 0, 0, 5);
        CHECK(client.number<std::uint32_t>() == nbd::kSimpleReplyMagic);
        CHECK(client.number<std::uint32_t>() == 0);
        CHECK(client.number<std::uint64_t>() == 5);
    }
    NbdClient client(e.socket);
    client.greet();
    client.option(Option::export_name, as_bytes("other"));
    CHECK(client.closed());
}

TEST_CASE("LIST names the export; ABORT is acknowledged and ends the connection") {
    Exported e;
    NbdClient client(e.socket);
    client.greet();
    client.option(Option::list, {});
    const auto [type, data] = client.option_reply(Option::list);
    CHECK(type == OptionReply::server);
    CHECK(data == NbdClient::named("vol-1"));
    client.expect_ack(Option::list);
    client.option(Option::list, as_bytes("x"));
    CHECK(client.option_reply(Option::list).first == OptionReply::err_invalid);
    client.option(Option::abort, {});
    client.expect_ack(Option::abort);
    CHECK(client.closed());
}

TEST_CASE("what is not offered is refused and the handshake goes on") {
    Exported e;
    NbdClient client(e.socket);
    client.greet();
    for (const auto option :
         {Option::starttls, static_cast<Option>(11), static_cast<Option>(0xffffffff)}) {
        client.option(option, {});
        CHECK(client.option_reply(option).first == OptionReply::err_unsup);
    }
    Bytes unknown = NbdClient::named("other");
    nbd::put<std::uint16_t>(unknown, 0);
    client.option(Option::go, unknown);
    CHECK(client.option_reply(Option::go).first == OptionReply::err_unknown);
    for (const std::size_t cut : {0U, 3U, 9U, 10U}) {
        client.option(Option::go, ByteView(unknown).first(cut));
        CHECK(client.option_reply(Option::go).first == OptionReply::err_invalid);
    }
    client.option(Option::structured_reply, as_bytes("x"));
    CHECK(client.option_reply(Option::structured_reply).first == OptionReply::err_invalid);
    client.use_structured();
    client.option(Option::structured_reply, {});
    CHECK(client.option_reply(Option::structured_reply).first == OptionReply::err_invalid);
    client.go();
}

TEST_CASE(
    "meta contexts: base:allocation is listed and set, others are not, and structured replies come "
    "first") {
    Exported e;
    NbdClient client(e.socket);
    client.greet();
    Bytes everything = NbdClient::named("");
    nbd::put<std::uint32_t>(everything, 0);
    client.option(Option::set_meta_context, everything);
    CHECK(client.option_reply(Option::set_meta_context).first == OptionReply::err_invalid);
    client.option(Option::list_meta_context, everything);
    const auto [type, data] = client.option_reply(Option::list_meta_context);
    CHECK(type == OptionReply::meta_context);
    CHECK(as_text(ByteView(data).subspan(4)) == "base:allocation");
    client.expect_ack(Option::list_meta_context);
    client.use_structured();
    client.use_base_allocation();
    // A later SET replaces the set: here with nothing.
    Bytes other = NbdClient::named("");
    nbd::put<std::uint32_t>(other, 1);
    const Bytes query = NbdClient::named("qemu:dirty-bitmap:x");
    other.insert(other.end(), query.begin(), query.end());
    client.option(Option::set_meta_context, other);
    client.expect_ack(Option::set_meta_context);
    client.go();
    CHECK(client.call(nbd::Command::block_status, 0, 4096).error() == 22);
}

TEST_CASE("a client that breaks the handshake is cut off") {
    Exported e;
    SUBCASE("unknown client flags") {
        NbdClient client(e.socket);
        client.greet(8);
        CHECK(client.closed());
    }
    SUBCASE("a wrong magic") {
        NbdClient client(e.socket);
        client.greet();
        client.send(Bytes(16, 'x'));
        CHECK(client.closed());
    }
    SUBCASE("an option longer than any") {
        NbdClient client(e.socket);
        client.greet();
        Bytes out;
        nbd::put(out, nbd::kOptionMagic);
        nbd::put<std::uint32_t>(out, 7);
        nbd::put<std::uint32_t>(out, 0x7fffffff);
        client.send(out);
        CHECK(client.closed());
    }
    SUBCASE("options without end") {
        nbd::Handshake handshake({.name = "x", .size_bytes = 4096});
        Bytes in{0, 0, 0, 3};
        for (int i = 0; i < 100; ++i) {
            nbd::put(in, nbd::kOptionMagic);
            nbd::put<std::uint32_t>(in, 3);
            nbd::put<std::uint32_t>(in, 0);
        }
        Bytes out;
        CHECK(handshake.feed(in, out) < in.size());
        CHECK(handshake.state() == nbd::Handshake::State::closed);
    }
}

TEST_CASE("a handshake may come in pieces of any size") {
    Bytes in{0, 0, 0, 3};
    for (const auto option : {Option::structured_reply, Option::list}) {
        nbd::put(in, nbd::kOptionMagic);
        nbd::put(in, static_cast<std::uint32_t>(option));
        nbd::put<std::uint32_t>(in, 0);
    }
    nbd::put(in, nbd::kOptionMagic);
    nbd::put<std::uint32_t>(in, 7);
    nbd::put<std::uint32_t>(in, 6);
    in.resize(in.size() + 6, 0);
    Bytes whole;
    nbd::Handshake at_once({.name = "x", .size_bytes = 4096});
    CHECK(at_once.feed(in, whole) == in.size());
    CHECK(at_once.state() == nbd::Handshake::State::transmission);
    for (std::size_t piece = 1; piece < 20; ++piece) {
        nbd::Handshake handshake({.name = "x", .size_bytes = 4096});
        Bytes buffered;
        Bytes out;
        for (std::size_t at = 0; at < in.size(); at += piece) {
            buffered.insert(
                buffered.end(), in.begin() + static_cast<std::ptrdiff_t>(at),
                in.begin() + static_cast<std::ptrdiff_t>(std::min(at + piece, in.size())));
            const std::size_t taken = handshake.feed(buffered, out);
            buffered.erase(buffered.begin(), buffered.begin() + static_cast<std::ptrdiff_t>(taken));
        }
        CHECK(handshake.state() == nbd::Handshake::State::transmission);
        CHECK(out == whole);
    }
}
