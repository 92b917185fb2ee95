// SPDX-License-Identifier: Apache-2.0
#include "util/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <nlohmann/json.hpp>

namespace kiln {
namespace {

spdlog::logger& logger() {
    // The one process-wide object: log lines of all threads must not interleave on one descriptor.
    static spdlog::logger instance = [] {
        spdlog::logger made("kiln", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made.set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
        return made;
    }();
    return instance;
}

std::atomic<bool> as_json = false;

spdlog::level::level_enum to_spdlog(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return spdlog::level::debug;
        case LogLevel::info:
            return spdlog::level::info;
        case LogLevel::warn:
            return spdlog::level::warn;
        case LogLevel::error:
            return spdlog::level::err;
        case LogLevel::off:
            return spdlog::level::off;
    }
    return spdlog::level::err;
}

}  // namespace

void set_log_level(LogLevel level) {
    logger().set_level(to_spdlog(level));
}

void set_log_format(LogFormat format) {
    as_json = format == LogFormat::json;
    logger().set_pattern(as_json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})"
                                 : "%Y-%m-%dT%H:%M:%S.%e %l %v");
}

void log_message(LogLevel level, std::string_view component, std::string_view message) {
    if (as_json) {
        const auto quoted = [](std::string_view text) {
            return nlohmann::json(text).dump(-1, ' ', false,
                                             nlohmann::json::error_handler_t::replace);
        };
        logger().log(to_spdlog(level), "\"component\":{},\"message\":{}", quoted(component),
                     quoted(message));
        return;
    }
    logger().log(to_spdlog(level), "{}: {}", component, message);
}

}  // namespace kiln
