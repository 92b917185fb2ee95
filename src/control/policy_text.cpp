// SPDX-License-Identifier: Apache-2.0
#include "control/policy_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::size_t kArnParts = 6;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

template <class Char>
char byte_of(Char c) {
    return static_cast<char>(static_cast<unsigned char>(static_cast<unsigned>(c) & 0xFFU));
}

// One mark to come back to is enough: what an earlier '*' could still take, a later one can.
template <class Char>
bool match(std::basic_string_view<Char> pattern, std::string_view text, bool ignore_case) {
    const auto same = [&](Char a, char b) {
        const char byte = byte_of(a);
        return byte == b || (ignore_case && lower(byte) == lower(b));
    };
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = pattern.npos;
    std::size_t taken = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == Char('*')) {
            star = p++;
            taken = t;
        } else if (p < pattern.size() && (pattern[p] == Char('?') || same(pattern[p], text[t]))) {
            ++p;
            ++t;
        } else if (star != pattern.npos) {
            p = star + 1;
            t = ++taken;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of(Char('*'), p) == pattern.npos;
}

void append(Pattern& to, std::string_view text, char16_t mark) {
    for (const char c : text) {
        to.push_back(static_cast<char16_t>(static_cast<unsigned char>(c) + mark));
    }
}

Error malformed(std::string_view variable, std::string_view what) {
    return Error(Code::invalid_argument,
                 fmt::format("The policy variable '${{{}' {}.", variable, what));
}

}  // namespace

Pattern pattern_of(std::string_view text) {
    Pattern pattern;
    append(pattern, text, 0);
    return pattern;
}

std::string plain_text(const Pattern& pattern) {
    std::string text;
    text.reserve(pattern.size());
    std::transform(pattern.begin(), pattern.end(), std::back_inserter(text), byte_of<char16_t>);
    return text;
}

bool wildcard_match(std::u16string_view pattern, std::string_view text, bool ignore_case) {
    return match(pattern, text, ignore_case);
}

bool wildcard_match(std::string_view pattern, std::string_view text, bool ignore_case) {
    return match(pattern, text, ignore_case);
}

bool arn_match(std::u16string_view pattern, std::string_view arn) {
    for (std::size_t part = 1; part < kArnParts; ++part) {
        const auto p = pattern.find(u':');
        const auto a = arn.find(':');
        if (p == pattern.npos || a == arn.npos ||
            !wildcard_match(pattern.substr(0, p), arn.substr(0, a), false)) {
            return false;
        }
        pattern.remove_prefix(p + 1);
        arn.remove_prefix(a + 1);
    }
    return wildcard_match(pattern, arn, false);
}

PolicyText PolicyText::plain(std::string text) {
    PolicyText out;
    out.pieces_.push_back({pattern_of(text)});
    out.text_ = std::move(text);
    return out;
}

// What stands between "${" and "}".
Status PolicyText::take_variable(std::string_view inner, std::vector<Piece>& pieces) {
    if (inner == "*" || inner == "?" || inner == "$") {
        append(pieces.back().fixed, inner, kItself);
        return ok();
    }
    const auto comma = inner.find(',');
    const std::string_view key = inner.substr(0, comma);
    if (key.empty() || key != trim(key) || key.find_first_of("${'\"") != key.npos) {
        return malformed(inner, "names no condition key");
    }
    pieces.back().key = to_lower(key);
    if (comma != inner.npos) {
        const std::string_view instead = trim(inner.substr(comma + 1));
        if (instead.size() < 2 || instead.front() != '\'' || instead.back() != '\'' ||
            instead.substr(1, instead.size() - 2).find_first_of("'$") != instead.npos) {
            return malformed(inner, "has a default that is no text in single quotes");
        }
        pieces.back().instead = std::string(instead.substr(1, instead.size() - 2));
    }
    pieces.emplace_back();
    return ok();
}

Result<PolicyText> PolicyText::parse(std::string text) {
    PolicyText out;
    out.pieces_.emplace_back();
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto start = rest.find("${");
        append(out.pieces_.back().fixed, rest.substr(0, start), 0);
        if (start == rest.npos) {
            break;
        }
        rest.remove_prefix(start + 2);
        const auto end = rest.find('}');
        if (end == rest.npos) {
            return malformed(rest, "does not end");
        }
        TRY(take_variable(rest.substr(0, end), out.pieces_));
        rest.remove_prefix(end + 1);
    }
    out.text_ = std::move(text);
    return out;
}

std::vector<std::string_view> PolicyText::keys() const {
    std::vector<std::string_view> keys;
    for (const Piece& piece : pieces_) {
        if (!piece.key.empty()) {
            keys.push_back(piece.key);
        }
    }
    return keys;
}

std::size_t PolicyText::colons() const {
    std::size_t count = 0;
    for (const Piece& piece : pieces_) {
        count += static_cast<std::size_t>(std::count(piece.fixed.begin(), piece.fixed.end(), u':'));
    }
    return count;
}

bool PolicyText::has_variable_before_colon(std::size_t nth) const {
    const auto before = static_cast<std::size_t>(
        std::count(pieces_.front().fixed.begin(), pieces_.front().fixed.end(), u':'));
    return !pieces_.front().key.empty() && before < nth;
}

std::optional<Pattern> PolicyText::resolve(const FindFact& find) const {
    Pattern pattern;
    for (const Piece& piece : pieces_) {
        pattern += piece.fixed;
        if (piece.key.empty()) {
            continue;
        }
        const auto* values = find(piece.key);
        if (values != nullptr && values->size() == 1) {
            append(pattern, values->front(), kItself);
        } else if (values == nullptr && piece.instead) {
            append(pattern, *piece.instead, kItself);
        } else {
            return std::nullopt;
        }
    }
    return pattern;
}

}  // namespace kiln::control
