// SPDX-License-Identifier: Apache-2.0
#include "net/detail/response_head.h"

#include <ctime>

#include "util/strings.h"

namespace kiln::net::detail {

namespace {

struct Reason {
    int status;
    std::string_view phrase;
};
constexpr Reason kReasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {507, "Insufficient Storage"},
};

// "Sun, 06 Nov 1994 08:49:37 GMT". Not strftime(): its names follow the locale.
std::string http_date(std::time_t time) {
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    char text[64];
    std::snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[parts.tm_wday],
                  parts.tm_mday, kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour,
                  parts.tm_min, parts.tm_sec);
    return text;
}

bool is_ours(std::string_view name) {
    return equals_ignore_case(name, "Content-Length") ||
           equals_ignore_case(name, "Transfer-Encoding") ||
           equals_ignore_case(name, "Connection") || equals_ignore_case(name, "Date");
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

std::string_view reason_phrase(int status) {
    for (const Reason& reason : kReasons) {
        if (reason.status == status) {
            return reason.phrase;
        }
    }
    return "Status";
}

std::string format_response_head(const ResponseHead& head, const Headers& headers) {
    std::string out = "HTTP/1.1 " + std::to_string(head.status) + " ";
    out.append(reason_phrase(head.status)).append("\r\n");
    append_field(out, "Date", http_date(std::time(nullptr)));
    for (const Header& header : headers) {
        if (!is_ours(header.name) && is_valid_header(header.name, header.value)) {
            append_field(out, header.name, header.value);
        }
    }
    if (head.framing == Framing::length) {
        append_field(out, "Content-Length", std::to_string(head.length));
    } else if (head.framing == Framing::chunked) {
        append_field(out, "Transfer-Encoding", "chunked");
    }
    if (head.status == 101) {
        append_field(out, "Connection", "Upgrade");
    } else if (head.close) {
        append_field(out, "Connection", "close");
    }
    return out.append("\r\n");
}

std::string format_canned(const CannedResponse& response, bool close, bool to_head) {
    std::string out = format_response_head({.status = response.status,
                                            .framing = Framing::length,
                                            .length = response.body.size(),
                                            .close = close},
                                           response.headers);
    return to_head ? out : out.append(response.body);
}

}  // namespace kiln::net::detail
