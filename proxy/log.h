// The log: one line an event on stderr, written by a thread of its own (spdlog's asynchronous
// sink); a worker never waits for stderr (where it can't keep up the oldest lines go, and their
// number is logged).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <variant>

namespace postern {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError };
enum class LogFormat : uint8_t { kJson, kText };

// One field of a line. Texts may be peer text: they are escaped (JSON; invalid UTF-8 and controls
// too) and cut to 256 bytes. An empty text is left out.
struct LogField {
  std::string_view name;
  std::variant<std::string_view, int64_t, uint64_t, double, bool> value;
};

class Log {
 public:
  Log(LogLevel level, LogFormat format);
  ~Log();  // writes what is queued

  void Configure(LogLevel level, LogFormat format);  // reload; any thread
  bool enabled(LogLevel level) const;
  // Any thread. `event` is a literal of the contract's section 8.
  void Write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);
  void Write(LogLevel level, std::string_view event, const LogField* fields, size_t count);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace postern
