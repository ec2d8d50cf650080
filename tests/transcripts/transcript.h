// A dialogue as a file has it (README.md tells the format), taken apart into steps.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/transcripts/given.h"

namespace postern::testing {

enum class Verb : uint8_t {
  kInput,    // C> and S>: bytes from `side`
  kOutput,   // C< and S<: bytes to `side`
  kTlsUp,    // `tls up`
  kConnect,  // `connect`: the filter has asked for the backend
  kServerUp,
  kGone,
  kThrottle,  // `throttle on|off`
  kNote,
  kClose,
  kDetach,
  kExpect,
  kTurn,  // `turn`: what came so far is compared before more is said
};

struct Step {
  Verb verb = Verb::kTurn;
  int line = 0;  // in the file
  Side side = Side::kClient;
  std::string bytes;               // kInput, kOutput: as they are on the wire
  bool wildcard = false;           // kOutput: any text up to the line's end may follow
  std::vector<std::string> words;  // of kThrottle, kNote, kClose, kExpect
};

struct Transcript {
  std::string path;
  Given given;
  std::vector<Step> steps;
  bool connects = false;  // has `connect` lines; without them the backend is there at once
  std::string complaint;  // why the file can't be played; empty where it can
};

Transcript ReadTranscript(const std::string& path, Protocol protocol);
// The same from a text. With `lenient` a line that can't be read is left out (fuzzers).
Transcript ParseTranscript(std::string_view text, Protocol protocol, bool lenient);

// What a peer sent, in one line that can be read (and written into a transcript).
std::string Escape(std::string_view bytes);

}  // namespace postern::testing
