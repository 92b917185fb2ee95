// SPDX-License-Identifier: Apache-2.0
// Error: why an operation failed, in a form the caller can act on.
//
// `code` says what to do next (see each value); `message` is for a person and says what to do about
// it; context is added on the way up with `with()`. From `model` upwards an error that a client may
// see also carries the error code of the EC2 API (`api_code`); an error without one is answered as
// InternalError and its message goes to the log only.
//
// Value type. Thread model: a plain value.
#pragma once

#include <string>
#include <string_view>

namespace kiln {

enum class Code {
    invalid_argument,     // the request can never succeed as it is
    not_found,            // the thing named does not exist, or is not visible
    already_exists,       // the name or id is taken
    failed_precondition,  // the thing is in the wrong state; may succeed later, after something
                          // else was done
    permission_denied,    // known caller, not allowed
    unauthenticated,      // who calls is not proven
    resource_exhausted,   // a quota, a queue or a limit; may succeed later
    out_of_space,         // the disk is full or the reserve is reached
    unavailable,          // a peer is away; retrying is right
    deadline_exceeded,    // time ran out; the outcome may be unknown
    conflict,             // a transaction lost a race; run it again
    cancelled,            // the caller or a shutdown ended it
    data_loss,            // bytes are not what they must be: never ignore, never overwrite
    io_error,             // the device or the kernel refused
    unsupported,          // known, and not built or not possible here
    internal,             // a bug or a broken assumption
};

std::string_view to_string(Code code);

class Error {
  public:
    Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

    // An error a client of the EC2 API sees as `api_code: message`.
    static Error api(Code code, std::string api_code, std::string message);
    // From errno; maps ENOENT, ENOSPC, EACCES and their kind to codes. `what` names the failed call
    // and its object.
    static Error from_errno(int err, std::string_view what);

    Code code() const { return code_; }
    const std::string& message() const { return message_; }
    const std::string& api_code() const { return api_code_; }
    bool has_api_code() const { return !api_code_.empty(); }

    // Prefixes context: "open layer l-1: <message>". Leaves the message alone when a client sees it
    // verbatim.
    Error with(std::string_view context) &&;
    Error with_api_code(std::string api_code) &&;

    // For logs: code, API code and message.
    std::string to_string() const;

  private:
    Code code_;
    std::string message_;
    std::string api_code_;
};

}  // namespace kiln
