// SPDX-License-Identifier: Apache-2.0
#include "util/time.h"

#include <cstdio>
#include <ctime>

namespace kiln {
namespace {

struct Parts {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

// Reads exactly `count` digits at `at`; false when there are none.
bool digits(std::string_view text, std::size_t& at, std::size_t count, int& out) {
    if (at + count > text.size()) {
        return false;
    }
    out = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const char c = text[at + i];
        if (c < '0' || c > '9') {
            return false;
        }
        out = out * 10 + (c - '0');
    }
    at += count;
    return true;
}

bool literal(std::string_view text, std::size_t& at, char c) {
    if (at >= text.size() || text[at] != c) {
        return false;
    }
    ++at;
    return true;
}

bool valid(const Parts& p) {
    static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (p.year < 1970 || p.month < 1 || p.month > 12 || p.hour > 23 || p.minute > 59 ||
        p.second > 59) {
        return false;
    }
    const bool leap = (p.year % 4 == 0 && p.year % 100 != 0) || p.year % 400 == 0;
    return p.day >= 1 && p.day <= kDays[p.month - 1] + (leap && p.month == 2 ? 1 : 0);
}

std::int64_t to_seconds(const Parts& p) {
    std::tm tm{};
    tm.tm_year = p.year - 1900;
    tm.tm_mon = p.month - 1;
    tm.tm_mday = p.day;
    tm.tm_hour = p.hour;
    tm.tm_min = p.minute;
    tm.tm_sec = p.second;
    return timegm(&tm);
}

std::tm broken_down(UnixMillis time) {
    std::int64_t seconds = time.value / 1000 - (time.value % 1000 < 0 ? 1 : 0);
    const std::time_t t = seconds;
    std::tm tm{};
    gmtime_r(&t, &tm);
    return tm;
}

Error bad_time(std::string_view text) {
    return Error(Code::invalid_argument, "not a time: '" + std::string(text.substr(0, 64)) + "'");
}

}  // namespace

std::string format_iso8601(UnixMillis time) {
    const std::tm tm = broken_down(time);
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                  tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                  static_cast<int>(((time.value % 1000) + 1000) % 1000));
    return buffer;
}

std::string format_basic(UnixMillis time) {
    const std::tm tm = broken_down(time);
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%04d%02d%02dT%02d%02d%02dZ", tm.tm_year + 1900,
                  tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return buffer;
}

Result<UnixMillis> parse_iso8601(std::string_view text) {
    Parts p;
    std::size_t at = 0;
    if (!digits(text, at, 4, p.year) || !literal(text, at, '-') || !digits(text, at, 2, p.month) ||
        !literal(text, at, '-') || !digits(text, at, 2, p.day) || !literal(text, at, 'T') ||
        !digits(text, at, 2, p.hour) || !literal(text, at, ':') || !digits(text, at, 2, p.minute) ||
        !literal(text, at, ':') || !digits(text, at, 2, p.second) || !valid(p)) {
        return bad_time(text);
    }
    int millis = 0;
    if (literal(text, at, '.')) {
        int scale = 100;
        const std::size_t start = at;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10) {
            millis += (text[at] - '0') * scale;
        }
        if (at == start) {
            return bad_time(text);
        }
    }
    std::int64_t offset_s = 0;
    if (!literal(text, at, 'Z')) {
        int hours = 0;
        int minutes = 0;
        const bool plus = literal(text, at, '+');
        if (!plus && !literal(text, at, '-')) {
            return bad_time(text);
        }
        if (!digits(text, at, 2, hours)) {
            return bad_time(text);
        }
        literal(text, at, ':');
        if (!digits(text, at, 2, minutes) || hours > 23 || minutes > 59) {
            return bad_time(text);
        }
        offset_s = (hours * 3600 + minutes * 60) * (plus ? 1 : -1);
    }
    if (at != text.size()) {
        return bad_time(text);
    }
    return UnixMillis{(to_seconds(p) - offset_s) * 1000 + millis};
}

Result<UnixMillis> parse_basic(std::string_view text) {
    Parts p;
    std::size_t at = 0;
    if (!digits(text, at, 4, p.year) || !digits(text, at, 2, p.month) ||
        !digits(text, at, 2, p.day) || !literal(text, at, 'T') || !digits(text, at, 2, p.hour) ||
        !digits(text, at, 2, p.minute) || !digits(text, at, 2, p.second) ||
        !literal(text, at, 'Z') || at != text.size() || !valid(p)) {
        return bad_time(text);
    }
    return UnixMillis{to_seconds(p) * 1000};
}

}  // namespace kiln
