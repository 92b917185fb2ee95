// SPDX-License-Identifier: Apache-2.0
#include "api/codec/errors.h"

#include <algorithm>
#include <iterator>

namespace kiln::api {
namespace {

struct Row {
    std::string_view code;
    int status;
};

// ERR-1. Everything else is 400: clients retry 5xx by themselves, so a mistake of theirs never is
// one.
constexpr Row kStatus[] = {
    {"AccessDenied", 403},
    {"AuthFailure", 401},
    {"Blocked", 403},
    {"DeleteConflict", 409},
    {"DryRunOperation", 412},
    {"EntityAlreadyExists", 409},
    {"ExpiredToken", 403},
    {"InsufficientInstanceCapacity", 500},
    {"InsufficientVolumeCapacity", 500},
    {"InternalError", 500},
    {"InternalFailure", 500},
    {"InvalidClientTokenId", 403},
    {"LimitExceeded", 409},
    {"MissingAuthenticationToken", 403},
    {"NoSuchEntity", 404},
    {"OptInRequired", 401},
    {"PendingVerification", 403},
    {"RequestLimitExceeded", 503},
    {"ServerInternal", 500},
    {"ServiceUnavailable", 503},
    {"SignatureDoesNotMatch", 403},
    {"Unavailable", 503},
    {"UnauthorizedOperation", 403},
};

}  // namespace

int http_status(std::string_view api_code) {
    const auto row = std::find_if(std::begin(kStatus), std::end(kStatus),
                                  [api_code](const Row& r) { return r.code == api_code; });
    return row == std::end(kStatus) ? 400 : row->status;
}

WireError to_wire(const Error& error) {
    if (!error.has_api_code()) {
        return {"InternalError", "An internal error has occurred", 500};
    }
    return {error.api_code(), error.message(), http_status(error.api_code())};
}

}  // namespace kiln::api
