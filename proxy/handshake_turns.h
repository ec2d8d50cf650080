// The server's flight of a TLS handshake is by far the longest thing that one event can bring, and
// many clients may ask for it at once. One a turn of the loop is worked out; the others wait in the
// order in which they came, unread, so that those who are logged in have their turn in between.
// Where nobody is, no turns are taken. Owned by a worker, used on its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace postern {

class Stream;

class HandshakeTurns {
 public:
  // True where `stream` may go on at once. Else it waits: `place` is set to a number other than 0,
  // and its TakeTurn is called in a later turn of the loop.
  bool Ask(Stream& stream, uint64_t& place);
  // Gives a place up.
  void Leave(uint64_t place) { waiting_.erase(place); }
  // A session has logged in, and one that had has ended.
  void Settle() { ++settled_; }
  void Unsettle() { --settled_; }
  bool anybody_settled() const { return settled_ > 0; }
  // A key operation is under way on another thread, and has ended. Nobody's turn comes between: a
  // processor that both threads share would else go to a queue of signatures.
  void Hold() { ++held_; }
  void Release() { --held_; }
  // Once a turn of the loop, before it looks for events.
  void Next();

 private:
  std::map<uint64_t, Stream*> waiting_;  // as many as there are sessions at most
  uint64_t last_place_ = 0;
  size_t settled_ = 0;
  size_t held_ = 0;
  bool taken_ = false;
};

}  // namespace postern
