// SPDX-License-Identifier: Apache-2.0
#include "net/detail/message_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace kiln::net::detail {

namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

// "0", two ends of lines: no chunked body ends in fewer bytes from where a chunk begins.
constexpr std::size_t kShortestLastChunk = 5;

Error parse_error(const error_code& ec) {
    const bool too_large = ec == http::error::header_limit;
    return Error(too_large ? Code::resource_exhausted : Code::invalid_argument,
                 "malformed HTTP message: " + ec.message());
}

template <bool is_request>
class BeastParser : public MessageParser {
  public:
    explicit BeastParser(std::size_t header_limit) : header_limit_(header_limit) {
        parser_.header_limit(static_cast<std::uint32_t>(header_limit));
        parser_.body_limit(boost::none);  // bodies are streamed; limits are the reader's
    }

    void skip_body() { parser_.skip(true); }

    Result<std::size_t> feed_head(ByteView input) override {
        error_code ec;
        const std::size_t used = parser_.put(boost::asio::buffer(input.data(), input.size()), ec);
        if (ec && ec != http::error::need_more) {
            return parse_error(ec);
        }
        // Beast's own limit is for one line at a time.
        head_bytes_ += used;
        const std::size_t waiting = parser_.is_header_done() ? 0 : input.size() - used;
        if (head_bytes_ + waiting > header_limit_) {
            return parse_error(http::error::header_limit);
        }
        if (parser_.is_header_done()) {
            parser_.eager(true);
        }
        return used;
    }
    bool head_done() const override { return parser_.is_header_done(); }

    Result<Fed> feed_body(ByteView input, MutableByteView out) override {
        // Beast ends the process where a last chunk that it has seen in part comes with less.
        const std::size_t least = in_chunk_header_ ? kShortestLastChunk : 1;
        if (parser_.is_done() || input.size() < least) {
            return Fed{};
        }
        auto& body = parser_.get().body();
        body.data = out.data();
        body.size = out.size();
        body.more = true;
        error_code ec;
        const std::size_t used = parser_.put(boost::asio::buffer(input.data(), input.size()), ec);
        if (ec && ec != http::error::need_more && ec != http::error::need_buffer) {
            return parse_error(ec);
        }
        in_chunk_header_ = ec == http::error::need_more;  // it never wants more inside of a chunk
        return Fed{.consumed = used, .produced = out.size() - body.size};
    }

    Status end_of_input() override {
        error_code ec;
        if (parser_.is_header_done() && !parser_.is_done()) {
            parser_.put_eof(ec);
        }
        if (ec || !parser_.is_done()) {
            return Error(Code::unavailable, "the connection was closed in the middle of a message");
        }
        return ok();
    }

    bool done() const override { return parser_.is_done(); }
    std::string method() const override {
        if constexpr (is_request) {
            return std::string(parser_.get().method_string());
        } else {
            return {};
        }
    }
    std::string target() const override {
        if constexpr (is_request) {
            return std::string(parser_.get().target());
        } else {
            return {};
        }
    }
    int status() const override {
        if constexpr (is_request) {
            return 0;
        } else {
            return static_cast<int>(parser_.get().result_int());
        }
    }
    bool is_http_11() const override { return parser_.get().version() == 11; }
    bool keep_alive() const override { return parser_.keep_alive(); }
    bool chunked() const override { return parser_.chunked(); }
    Headers headers() const override {
        Headers headers;
        for (const auto& field : parser_.get()) {
            headers.add(std::string_view(field.name_string().data(), field.name_string().size()),
                        std::string_view(field.value().data(), field.value().size()));
        }
        return headers;
    }
    std::optional<std::uint64_t> content_length() const override {
        const auto length = parser_.content_length();
        return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
    }
    std::optional<std::uint64_t> remaining() const override {
        if (parser_.is_done()) {
            return 0;
        }
        const auto left = parser_.content_length_remaining();
        return left ? std::optional<std::uint64_t>(*left) : std::nullopt;
    }

  private:
    const std::size_t header_limit_;
    std::size_t head_bytes_ = 0;
    bool in_chunk_header_ = false;
    http::parser<is_request, http::buffer_body> parser_;
};

}  // namespace

std::unique_ptr<MessageParser> MessageParser::for_request(std::size_t header_limit) {
    return std::make_unique<BeastParser<true>>(header_limit);
}

std::unique_ptr<MessageParser> MessageParser::for_response(std::size_t header_limit, bool to_head) {
    auto parser = std::make_unique<BeastParser<false>>(header_limit);
    if (to_head) {
        parser->skip_body();
    }
    return parser;
}

}  // namespace kiln::net::detail
