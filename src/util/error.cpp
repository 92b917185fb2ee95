// SPDX-License-Identifier: Apache-2.0
#include "util/error.h"

#include <cerrno>
#include <cstring>

namespace kiln {

std::string_view to_string(Code code) {
    switch (code) {
        case Code::invalid_argument:
            return "invalid_argument";
        case Code::not_found:
            return "not_found";
        case Code::already_exists:
            return "already_exists";
        case Code::failed_precondition:
            return "failed_precondition";
        case Code::permission_denied:
            return "permission_denied";
        case Code::unauthenticated:
            return "unauthenticated";
        case Code::resource_exhausted:
            return "resource_exhausted";
        case Code::out_of_space:
            return "out_of_space";
        case Code::unavailable:
            return "unavailable";
        case Code::deadline_exceeded:
            return "deadline_exceeded";
        case Code::conflict:
            return "conflict";
        case Code::cancelled:
            return "cancelled";
        case Code::data_loss:
            return "data_loss";
        case Code::io_error:
            return "io_error";
        case Code::unsupported:
            return "unsupported";
        case Code::internal:
            return "internal";
    }
    return "internal";
}

Error Error::api(Code code, std::string api_code, std::string message) {
    Error error(code, std::move(message));
    error.api_code_ = std::move(api_code);
    return error;
}

Error Error::from_errno(int err, std::string_view what) {
    Code code = Code::io_error;
    switch (err) {
        case ENOENT:
            code = Code::not_found;
            break;
        case EEXIST:
            code = Code::already_exists;
            break;
        case EACCES:
        case EPERM:
            code = Code::permission_denied;
            break;
        case ENOSPC:
        case EDQUOT:
            code = Code::out_of_space;
            break;
        case EINVAL:
            code = Code::invalid_argument;
            break;
        case EMFILE:
        case ENFILE:
        case ENOMEM:
            code = Code::resource_exhausted;
            break;
        case ETIMEDOUT:
            code = Code::deadline_exceeded;
            break;
        case ECONNREFUSED:
        case ECONNRESET:
        case EPIPE:
            code = Code::unavailable;
            break;
        case ECANCELED:
            code = Code::cancelled;
            break;
        case EOPNOTSUPP:
            code = Code::unsupported;
            break;
        default:
            break;
    }
    char buffer[128];
    return Error(code, std::string(what) + ": " + strerror_r(err, buffer, sizeof buffer));
}

Error Error::with(std::string_view context) && {
    if (api_code_.empty()) {
        message_ = std::string(context) + ": " + message_;
    }
    return std::move(*this);
}

Error Error::with_api_code(std::string api_code) && {
    api_code_ = std::move(api_code);
    return std::move(*this);
}

std::string Error::to_string() const {
    std::string text(kiln::to_string(code_));
    if (!api_code_.empty()) {
        text += " " + api_code_;
    }
    return text + ": " + message_;
}

}  // namespace kiln
