// The log: one line an event on stderr, written by a thread of its own (spdlog's asynchronous
// queue); a worker never waits for stderr. Where stderr can't keep up the oldest lines go, and
// their number is logged as `log_lost`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace postern {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError };
enum class LogFormat : uint8_t { kJson, kText };

// One field of a line. Texts may be peer text: they are escaped to plain ASCII (bytes that are no
// UTF-8 become U+FFFD) and cut to kMaxLogText. An empty text is left out of the format `text`.
// Seconds are shown to the microsecond.
struct LogField {
  std::string_view name;
  std::variant<std::string_view, int64_t, uint64_t, double, bool> value;
};

inline constexpr size_t kMaxLogText = 512;      // bytes of one field
inline constexpr size_t kLogQueueLines = 4096;  // lines that wait for stderr

class Log {
 public:
  // `fd` is written to and never closed.
  Log(LogLevel level, LogFormat format, int fd = 2);
  // Writes what is queued, for a second at most where `fd` takes no more.
  ~Log();

  // Writes what is queued as above and drops what comes later: for an _exit while other threads
  // still write here, which must find the log alive.
  void Close();

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
