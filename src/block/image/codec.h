// SPDX-License-Identifier: Apache-2.0
// Chunk codec: none, lz4, zstd-1. What compression gains less than 1/16 on is stored raw, because
// reading it would pay for nothing. decode() never writes more than `plain_bytes` and answers
// data_loss for anything that is not exactly that. Thread model: functions and EncoderPool are
// thread-safe; an Encoder has one owner at a time.
#pragma once

#include <memory>
#include <vector>

#include "util/bytes.h"
#include "util/mutex.h"
#include "util/result.h"

namespace kiln::block {

enum class Codec : std::uint8_t { none = 0, lz4 = 1, zstd = 2 };

// `bytes` stays until the Encoder's next chunk, and as long as the plain bytes.
struct Encoded {
    Codec codec = Codec::none;
    ByteView bytes;
};

// Keeps zstd's working memory, and that of the result, between chunks.
class Encoder {
  public:
    Encoder();
    ~Encoder();
    Encoder(const Encoder&) = delete;
    Encoder& operator=(const Encoder&) = delete;
    Encoded encode(Codec wanted, ByteView plain);

  private:
    struct Context;
    std::unique_ptr<Context> context_;
    Bytes out_;
};

// Encoders that are used again: as many as were in use at once.
class EncoderPool {
  public:
    std::unique_ptr<Encoder> take();
    void give(std::unique_ptr<Encoder> encoder);

  private:
    Mutex mutex_;
    std::vector<std::unique_ptr<Encoder>> idle_ GUARDED_BY(mutex_);
};

Result<Bytes> decode(Codec codec, ByteView stored, std::uint32_t plain_bytes);

}  // namespace kiln::block
