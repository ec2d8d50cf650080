// The commands of SMTP and LMTP: one table, and how a line is taken apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "filters/options.h"

namespace postern::smtp {

// RFC 5321, 4954 (AUTH), 3207 (STARTTLS), 3030 (BDAT), 2033 (LHLO), 1985 (ETRN).
enum class Verb : uint8_t {
  kEhlo,
  kHelo,
  kLhlo,
  kMail,
  kRcpt,
  kData,
  kBdat,
  kRset,
  kNoop,
  kQuit,
  kHelp,
  kVrfy,
  kExpn,
  kEtrn,
  kAuth,
  kStartTls,
  kAllowed,  // a name of the configuration's commands.allow: passed on, one reply awaited
  kHttp,     // a request line of HTTP: somebody makes a browser speak to us (ALPACA)
  kUnknown,
};

struct Command {
  Verb verb = Verb::kUnknown;
  // As the client spelled it, and what is behind the one blank after it.
  std::string_view word;
  std::string_view arguments;

  bool hello() const { return verb <= Verb::kLhlo; }
  // What may be said in the clear before TLS where a listener requires it (contract, section 5).
  bool before_tls() const;
  // What may be said right after TLS came up (RFC 3207, 4.2), for it needs no EHLO, or judges by
  // itself whether there was one.
  bool before_hello() const { return verb == Verb::kBdat || (before_tls() && verb != Verb::kAuth); }
};

// `line` has no line end.
Command ParseCommand(const FilterOptions& options, std::string_view line);

// Refused by commands.deny, by the client's word or the command's own name. What commands.allow
// names is not (the built-in list denies VRFY, and allowing it is how to have it back).
bool IsDenied(const FilterOptions& options, std::string_view name);
bool IsDenied(const FilterOptions& options, const Command& command);
// Named by commands.allow.
bool IsAllowed(const FilterOptions& options, std::string_view name);

// Bytes in one BDAT: 2 GiB, less what a Received header may add. A server that counts in 32 bits
// (Exim reads `%u`) would take a larger chunk for a small one, and its bytes for commands.
inline constexpr uint64_t kMaxChunk = 0x7fff0000;

// The arguments of BDAT (RFC 3030, 2), or nullopt: then nobody knows where its chunk ends.
struct Chunk {
  uint64_t size = 0;  // at most kMaxChunk
  bool last = false;
};
std::optional<Chunk> ParseChunk(std::string_view arguments);

}  // namespace postern::smtp
