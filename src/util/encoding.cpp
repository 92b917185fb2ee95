// SPDX-License-Identifier: Apache-2.0
#include "util/encoding.h"

namespace kiln {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr char kHexUpper[] = "0123456789ABCDEF";
constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool unreserved(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

}  // namespace

std::string hex_encode(ByteView data) {
    std::string text;
    text.reserve(data.size() * 2);
    for (std::uint8_t byte : data) {
        text += kHex[byte >> 4];
        text += kHex[byte & 15];
    }
    return text;
}

Result<Bytes> hex_decode(std::string_view text) {
    if (text.size() % 2 != 0) {
        return Error(Code::invalid_argument, "hexadecimal text has an odd number of digits");
    }
    Bytes out;
    out.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) {
            return Error(Code::invalid_argument, "not a hexadecimal digit");
        }
        out.push_back(static_cast<std::uint8_t>(high << 4 | low));
    }
    return out;
}

std::string base64_encode(ByteView data) {
    std::string text;
    text.reserve((data.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < data.size(); i += 3) {
        const std::size_t left = data.size() - i;
        const std::uint32_t group = static_cast<std::uint32_t>(data[i]) << 16 |
                                    (left > 1 ? static_cast<std::uint32_t>(data[i + 1]) << 8 : 0) |
                                    (left > 2 ? data[i + 2] : 0);
        text += kBase64[group >> 18];
        text += kBase64[group >> 12 & 63];
        text += left > 1 ? kBase64[group >> 6 & 63] : '=';
        text += left > 2 ? kBase64[group & 63] : '=';
    }
    return text;
}

Result<Bytes> base64_decode(std::string_view text) {
    Bytes out;
    out.reserve(text.size() / 4 * 3);
    std::uint32_t group = 0;
    int digits = 0;
    int padding = 0;
    for (char c : text) {
        if (c == '\n' || c == '\r') {
            continue;
        }
        if (c == '=') {
            ++padding;
            ++digits;
            group <<= 6;
        } else {
            const int value = base64_value(c);
            if (value < 0 || padding > 0) {
                return Error(Code::invalid_argument, "not valid Base64");
            }
            group = group << 6 | static_cast<std::uint32_t>(value);
            ++digits;
        }
        if (digits == 4) {
            if (padding > 2) {
                return Error(Code::invalid_argument, "not valid Base64");
            }
            out.push_back(static_cast<std::uint8_t>(group >> 16));
            if (padding < 2) {
                out.push_back(static_cast<std::uint8_t>(group >> 8));
            }
            if (padding < 1) {
                out.push_back(static_cast<std::uint8_t>(group));
            }
            digits = 0;
            group = 0;
        }
    }
    if (digits != 0) {
        return Error(Code::invalid_argument, "Base64 text ends inside a group");
    }
    return out;
}

std::string percent_encode(std::string_view text, bool keep_slash) {
    std::string out;
    out.reserve(text.size());
    for (char c : text) {
        if (unreserved(c) || (keep_slash && c == '/')) {
            out += c;
        } else {
            const auto byte = static_cast<std::uint8_t>(c);
            out += '%';
            out += kHexUpper[byte >> 4];
            out += kHexUpper[byte & 15];
        }
    }
    return out;
}

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            out += ' ';
        } else if (text[i] == '%') {
            const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return Error(Code::invalid_argument, "malformed percent escape");
            }
            out += static_cast<char>(high << 4 | low);
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

}  // namespace kiln
