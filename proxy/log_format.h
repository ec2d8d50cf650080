// How a line of the log looks. Pure functions: time comes in as an argument.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "proxy/log.h"

namespace postern {

using LogTime = std::chrono::system_clock::time_point;

// RFC 3339, UTC, milliseconds: "2026-11-24T11:07:20.042Z".
std::string FormatLogTime(LogTime time);

// Without the line end. JSON: an object with `ts`, `level`, `event`, then the fields in their
// order. Text: the same as TIME LEVEL EVENT name=value …, a value in quotes where it needs them.
std::string FormatLogLine(LogFormat format, LogTime time, LogLevel level, std::string_view event,
                          const LogField* fields, size_t count);

}  // namespace postern
