#include "proxy/handshake_turns.h"

#include <utility>

#include "proxy/stream.h"

namespace postern {

bool HandshakeTurns::Ask(Stream& stream, uint64_t& place) {
  if (!anybody_settled() || !std::exchange(taken_, true)) return true;
  place = ++last_place_;
  waiting_.emplace_hint(waiting_.end(), place, &stream);
  return false;
}

// What waits has bytes to be read, so that the loop does not sleep before its turn; the end of a
// key operation wakes it.
void HandshakeTurns::Next() {
  taken_ = held_ > 0 || !waiting_.empty();
  if (held_ > 0 || waiting_.empty()) return;
  Stream& first = *waiting_.begin()->second;
  waiting_.erase(waiting_.begin());
  first.TakeTurn();
}

}  // namespace postern
