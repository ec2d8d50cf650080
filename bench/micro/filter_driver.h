// Carries out a filter's actions as a session does, without sockets: what goes to either side is
// counted and thrown away.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "filters/filter.h"

namespace postern::bench {

class FilterDriver {
 public:
  // A listener with implicit TLS and the default policy.
  explicit FilterDriver(Protocol protocol);

  // Plays the client's arrival, the backend's connection and its greeting.
  void Greet(std::string_view greeting);

  // Bytes of one side, shown until they are used up. Anything left unused is a mistake of the
  // benchmark and is told by the return value.
  bool Client(std::string_view bytes) { return Show(Side::kClient, bytes); }
  bool Server(std::string_view bytes) { return Show(Side::kServer, bytes); }

  bool closed() const { return closed_; }
  bool detached() const { return detached_; }
  uint64_t forwarded() const { return forwarded_; }
  Filter& filter() { return *filter_; }

 private:
  bool Show(Side side, std::string_view bytes);
  size_t Apply();

  FilterOptions options_;
  std::unique_ptr<Filter> filter_;
  Actions actions_;
  bool closed_ = false;
  bool detached_ = false;
  uint64_t forwarded_ = 0;
};

}  // namespace postern::bench
