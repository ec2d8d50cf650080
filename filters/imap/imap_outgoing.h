// A command of Postern's making on its way to the server: sent up to a literal that the server has
// to agree to first, then on (RFC 9051, 4.3).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "filters/imap/imap_capabilities.h"
#include "filters/secret.h"

namespace postern::imap {

class Outgoing {
 public:
  explicit Outgoing(const ServerCapabilities& server) : server_(server) {}
  ~Outgoing() { Wipe(bytes_); }
  Outgoing(const Outgoing&) = delete;
  Outgoing& operator=(const Outgoing&) = delete;

  // Room for this many bytes, so that what is a secret is never moved while it grows.
  void Reserve(size_t size) { bytes_.reserve(size); }
  void Append(std::string_view text) { bytes_ += text; }
  // As a quoted string where that can carry it, else as a literal.
  void AppendString(std::string_view text);
  // `ask`: the server is asked first, whatever it has shown.
  void AppendLiteral(std::string_view text, bool binary, bool ask = false);

  // What may be sent now; empty once all has been sent.
  std::string_view Next();
  bool finished() const { return sent_ == bytes_.size(); }

 private:
  const ServerCapabilities& server_;
  std::string bytes_;
  std::vector<size_t> cuts_;  // after each of these many bytes the server's `+` is awaited
  size_t sent_ = 0;
  size_t next_cut_ = 0;
};

}  // namespace postern::imap
