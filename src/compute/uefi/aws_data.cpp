// SPDX-License-Identifier: Apache-2.0
#include "compute/uefi/aws_data.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

#include "util/check.h"
#include "util/crc32c.h"
#include "util/encoding.h"

namespace kiln::compute {
namespace {

constexpr std::uint64_t kMagic = 0x494645554e5a4d41;  // "AMZNUEFI"
constexpr std::uint32_t kVersion = 0;
constexpr std::size_t kCrcEnd = 12;
constexpr std::size_t kUnpackStep = 64U << 10;
// What EC2's tools write for a variable that no certificates are bound to.
constexpr std::size_t kNoDigestBytes = 32;

Error damaged(std::string_view what) {
    return Error(Code::invalid_argument, "the UEFI data " + std::string(what));
}

// Ends a stream of zlib's, whichever way it is left.
struct StreamEnd {
    z_stream& stream;
    int (*end)(z_stream*);
    ~StreamEnd() { end(&stream); }
};

Result<Bytes> unpack(ByteView packed) {
    z_stream stream{};
    if (inflateInit(&stream) != Z_OK) {
        return Error(Code::resource_exhausted, "zlib cannot start");
    }
    const StreamEnd guard{stream, inflateEnd};
    stream.next_in = const_cast<Bytef*>(packed.data());  // zlib only reads it
    stream.avail_in = static_cast<uInt>(packed.size());
    Bytes plain;
    for (int code = Z_OK; code != Z_STREAM_END;) {
        const std::size_t at = plain.size();
        plain.resize(at + kUnpackStep);
        stream.next_out = plain.data() + at;
        stream.avail_out = static_cast<uInt>(kUnpackStep);
        code = inflate(&stream, Z_NO_FLUSH);
        if (code == Z_NEED_DICT) {
            const Bytes& dictionary = uefi_data_dictionary();
            code = inflateSetDictionary(&stream, dictionary.data(),
                                        static_cast<uInt>(dictionary.size()));
            if (code != Z_OK) {
                return damaged("is packed with a dictionary that is not that of version 0");
            }
        }
        plain.resize(at + kUnpackStep - stream.avail_out);
        if (plain.size() > kMaxUefiEntryBytes) {
            return damaged(fmt::format("unpacks to more than {} bytes", kMaxUefiEntryBytes));
        }
        // No progress (Z_BUF_ERROR) means that the stream was cut off.
        if (code != Z_OK && code != Z_STREAM_END) {
            return damaged("is no whole zlib stream behind its header");
        }
    }
    if (stream.avail_in != 0) {
        return damaged("goes on behind its end");
    }
    return plain;
}

Result<Bytes> pack(ByteView plain) {
    z_stream stream{};
    if (deflateInit(&stream, Z_BEST_COMPRESSION) != Z_OK) {
        return Error(Code::resource_exhausted, "zlib cannot start");
    }
    const StreamEnd guard{stream, deflateEnd};
    const Bytes& dictionary = uefi_data_dictionary();
    INVARIANT(deflateSetDictionary(&stream, dictionary.data(),
                                   static_cast<uInt>(dictionary.size())) == Z_OK);
    Bytes packed(deflateBound(&stream, static_cast<uLong>(plain.size())));
    stream.next_in = const_cast<Bytef*>(plain.data());
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = packed.data();
    stream.avail_out = static_cast<uInt>(packed.size());
    INVARIANT(deflate(&stream, Z_FINISH) == Z_STREAM_END);  // there is room for all of it
    packed.resize(packed.size() - stream.avail_out);
    return packed;
}

ByteView read_counted(ByteReader& reader) {
    const auto bytes = reader.le<std::uint64_t>();
    return reader.bytes(bytes);
}

template <std::size_t N>
void read_array(ByteReader& reader, std::array<std::uint8_t, N>& into) {
    const ByteView bytes = reader.bytes(N);
    std::copy(bytes.begin(), bytes.end(), into.begin());
}

UefiVariable read_entry(ByteReader& reader) {
    UefiVariable variable;
    variable.name = as_text(read_counted(reader));
    const ByteView data = read_counted(reader);
    variable.data.assign(data.begin(), data.end());
    read_array(reader, variable.vendor);
    variable.attributes = reader.le<std::uint32_t>();
    if ((variable.attributes & kUefiTimeAuthenticated) != 0) {
        read_array(reader, variable.timestamp);
        const ByteView digest = read_counted(reader);
        const bool none =
            digest.size() == kNoDigestBytes &&
            std::all_of(digest.begin(), digest.end(), [](std::uint8_t byte) { return byte == 0; });
        if (!none) {
            variable.digest.assign(digest.begin(), digest.end());
        }
    }
    return variable;
}

void write_counted(ByteWriter& writer, ByteView bytes) {
    writer.le<std::uint64_t>(bytes.size()).bytes(bytes);
}

}  // namespace

Result<UefiVariables> decode_uefi_entries(ByteView entries) {
    ByteReader reader(entries);
    UefiVariables variables;
    const auto count = reader.le<std::uint64_t>();
    for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
        variables.push_back(read_entry(reader));
    }
    if (!reader.ok()) {
        return damaged("ends within a variable");
    }
    if (reader.remaining() != 0) {
        return damaged("has more than the variables that it counts");
    }
    TRY(check_uefi_names(variables));
    return variables;
}

Bytes encode_uefi_entries(const UefiVariables& variables) {
    Bytes entries;
    ByteWriter writer(entries);
    writer.le<std::uint64_t>(variables.size());
    for (const UefiVariable& variable : variables) {
        write_counted(writer, as_bytes(variable.name));
        write_counted(writer, variable.data);
        writer.bytes(variable.vendor).le(variable.attributes);
        if ((variable.attributes & kUefiTimeAuthenticated) != 0) {
            writer.bytes(variable.timestamp);
            write_counted(writer,
                          variable.digest.empty() ? Bytes(kNoDigestBytes, 0) : variable.digest);
        }
    }
    return entries;
}

Result<UefiVariables> decode_uefi_data(std::string_view base64) {
    const auto decoded = base64_decode(base64);
    if (!decoded) {
        return damaged("is not Base64");
    }
    const ByteView bytes(*decoded);
    ByteReader reader(bytes);
    const auto magic = reader.le<std::uint64_t>();
    const auto crc = reader.le<std::uint32_t>();
    const auto version = reader.le<std::uint32_t>();
    if (!reader.ok() || magic != kMagic) {
        return damaged("does not begin with AMZNUEFI");
    }
    if (crc32c(bytes.subspan(kCrcEnd)) != crc) {
        return damaged("does not have the check sum that it tells");
    }
    if (version != kVersion) {
        return damaged(fmt::format("has the version {}; known is {}", version, kVersion));
    }
    TRY_ASSIGN(const Bytes entries, unpack(bytes.subspan(reader.position())));
    return decode_uefi_entries(entries);
}

Result<std::string> encode_uefi_data(const UefiVariables& variables) {
    const Bytes entries = encode_uefi_entries(variables);
    if (entries.size() > kMaxUefiEntryBytes) {
        return Error(Code::unsupported,
                     fmt::format("the UEFI variables take more than {} bytes", kMaxUefiEntryBytes));
    }
    TRY_ASSIGN(const Bytes packed, pack(entries));
    Bytes summed;
    ByteWriter(summed).le(kVersion).bytes(packed);
    Bytes all;
    ByteWriter(all).le(kMagic).le(crc32c(summed)).bytes(summed);
    return base64_encode(all);
}

}  // namespace kiln::compute
