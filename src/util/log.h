// SPDX-License-Identifier: Apache-2.0
// Logging: one line per event on standard error, "time level component: message". Never log
// secrets: keys, user data, signatures and tokens stay out by not being passed here.
//
//   log_info("daemon", fmt::format("listening on {}", url));
//
// Thread-safe.
#pragma once

#include <string_view>

namespace kiln {

// `off` is for programs that cause errors on purpose, by the thousand.
enum class LogLevel { debug, info, warn, error, off };

// `json`: an object per line with time, level, component and message.
enum class LogFormat { text, json };

void set_log_level(LogLevel level);
void set_log_format(LogFormat format);
void log_message(LogLevel level, std::string_view component, std::string_view message);

inline void log_debug(std::string_view component, std::string_view message) {
    log_message(LogLevel::debug, component, message);
}
inline void log_info(std::string_view component, std::string_view message) {
    log_message(LogLevel::info, component, message);
}
inline void log_warn(std::string_view component, std::string_view message) {
    log_message(LogLevel::warn, component, message);
}
inline void log_error(std::string_view component, std::string_view message) {
    log_message(LogLevel::error, component, message);
}

}  // namespace kiln
