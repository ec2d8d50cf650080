// What a client says, and what it waits for, in each mode. Made once, shared by all connections.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/loadgen/options.h"
#include "bench/loadgen/reply.h"

namespace postern::loadgen {

struct Step {
  std::string send;
  Reply reply;
  bool with_body = false;  // Script::body follows `send`
};

struct Script {
  std::vector<Step> clear;    // before STARTTLS; its last step's answer begins TLS
  std::vector<Step> opening;  // then, once
  std::vector<Step> loop;     // then, as often as the runner says; one operation each time
  std::string body;
};

// Connections that open and, in warm modes, stay.
Script MakeScript(const Options& options);

// Handshakes alone, for the others in mixed mode.
Script MakeHandshakeScript(const Options& options);

// Modes in which each connection is one operation.
bool IsCold(Mode mode);

}  // namespace postern::loadgen
