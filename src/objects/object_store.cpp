// SPDX-License-Identifier: Apache-2.0
#include "objects/object_store.h"

#include "objects/detail/checks.h"

namespace kiln::objects {

bool valid_name(std::string_view name) {
    if (name.empty() || name.size() > kMaxNameBytes || name.front() == '-') {
        return false;
    }
    for (const char c : name) {
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return true;
}

Status check_name(std::string_view name) {
    return valid_name(name)
               ? ok()
               : Status(Error(Code::invalid_argument, "an object cannot have this name"));
}

Status check_put(std::string_view name, const SharedBytes& content) {
    TRY(check_name(name));
    if (content == nullptr || content->size() > kMaxObjectBytes) {
        return Error(Code::invalid_argument, "an object has at most 64 MiB");
    }
    return ok();
}

Status check_get(std::string_view name, std::uint64_t offset, std::uint64_t length) {
    TRY(check_name(name));
    if (length > kMaxObjectBytes || offset > kMaxObjectBytes) {
        return Error(Code::invalid_argument, "objects end at 64 MiB");
    }
    return ok();
}

Error no_object(std::string_view name) {
    return Error(Code::not_found, "no object " + std::string(name));
}

}  // namespace kiln::objects
