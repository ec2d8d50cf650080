// What the load generator is told on its command line. Filled once by main, read-only afterwards.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::loadgen {

enum class Mode : uint8_t {
  kHandshake,  // connect, TLS, the server's greeting, close
  kResume,     // the same with the ticket of the connection before
  kSession,    // log in, two commands (smtp: one small message), log out
  kBulkDown,   // fetch one message again and again
  kBulkUp,     // hand over one message again and again
  kLatency,    // NOOP again and again
  kIdle,       // log in and stay
  kMixed,      // NOOP again and again while others shake hands
};

enum class Protocol : uint8_t { kImap, kPop3, kSmtp };

enum class Tls : uint8_t { kNone, kImplicit, kStarttls };

struct Options {
  Mode mode = Mode::kHandshake;
  Protocol protocol = Protocol::kImap;
  Tls tls = Tls::kImplicit;
  std::string host;
  uint16_t port = 0;
  std::string user = "user";
  std::string password = "secret";
  size_t connections = 16;   // at a time
  size_t active = 0;         // of those, with a NOOP under way; 0: all
  uint64_t count = 0;        // operations to do; 0: as many as the time allows
  double seconds = 5;        // measured
  double warmup = 0.5;       // seconds before that
  double hold = 1;           // idle: seconds between the last log-in and the measurement
  double rate = 500;         // mixed: handshakes a second
  size_t size = 1 << 20;     // bulk: bytes of a message handed over
  bool tls12 = false;        // TLS 1.2 and no later
  std::vector<pid_t> proxy;  // roots of the process trees whose CPU and memory are reported
  std::vector<pid_t> backend;
};

// Reads the command line. What is wrong with it goes to `error`, and nothing comes back.
std::optional<Options> ParseCommandLine(int argc, char** argv, std::string& error);

std::string_view HelpText();

std::string_view Name(Mode mode);
std::string_view Name(Protocol protocol);
std::string_view Name(Tls tls);

}  // namespace postern::loadgen
