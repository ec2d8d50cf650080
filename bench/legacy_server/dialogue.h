// The server's side of one protocol on one connection, without a socket: bytes go in, answers come
// out. Owned by a connection, used by its thread alone.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "bench/legacy_server/options.h"
#include "bench/legacy_server/output.h"
#include "bench/legacy_server/store.h"

namespace postern::legacy {

class Dialogue {
 public:
  static constexpr size_t kMaxLine = size_t{64} << 10;

  Dialogue(const Options& options, Store& store) : options_(options), store_(store) {}
  virtual ~Dialogue() = default;

  virtual void Greet(Output& out) = 0;

  // Takes what it can from the front of `input` and returns how much; the rest is shown again with
  // more behind it. Stops where `out` is full and, with --slow, after each command.
  size_t Consume(std::string_view input, Output& out);

  // Tells a client that waits for news (IMAP's IDLE) what there is.
  virtual void Poll(Output&) {}
  virtual bool waits_for_news() const { return false; }

  // Nothing more is to be read; what is in the output still goes.
  bool finished() const { return finished_; }

  // The connection is to be dropped at once.
  bool dead() const { return dead_; }

 protected:
  // One step of Consume: a line or some data from the front. Returns 0 where more is needed.
  virtual size_t Take(std::string_view input, Output& out) = 0;

  // What the options say about a command in capitals.
  enum class Fate : uint8_t { kNormal, kRefused, kDropped };
  Fate FateOf(std::string_view verb);
  bool IsRefused(std::string_view verb) const;

  // The first line of `input` with its end; empty where it is not complete. Ends the session where
  // it is too long.
  std::string_view TakeLine(std::string_view input);

  void Finish() { finished_ = true; }

  const Options& options_;
  Store& store_;

 private:
  size_t commands_ = 0;
  bool finished_ = false;
  bool dead_ = false;
};

// Cuts CRLF or LF off.
std::string_view WithoutEnd(std::string_view line);

// `number` makes this connection's stamp different from the others'.
std::unique_ptr<Dialogue> MakeDialogue(Protocol protocol, uint64_t number, const Options& options,
                                       Store& store);

}  // namespace postern::legacy
