// What Postern remembers of client addresses: open connections, handshakes and failed log-ins in
// the present window. Shared by all workers: sharded, a lock for the moment of a look-up, taken at
// accept, at a handshake and at a log-in, never on a path of bytes. Bounded: kMaxAddresses in all,
// the coldest without an open connection leaves first.
#pragma once

#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "conf/config.h"

namespace postern {

// An IPv4 address, or the /64 of an IPv6 one, which counts as one address (contract, section 3).
struct AddressKey {
  std::array<uint8_t, 16> bytes{};  // IPv4 in its mapped form
  bool operator==(const AddressKey&) const = default;
  uint64_t Hash() const;
};

// nullopt for Unix sockets: no limit per address counts there.
std::optional<AddressKey> KeyOf(const sockaddr* address);

class AddressTable {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr size_t kMaxAddresses = 65536;

  // One more connection; false where that would be more than `limit` (0: none), and nothing is
  // counted then.
  bool Connect(const AddressKey& key, uint64_t limit, Clock::time_point now);
  void Disconnect(const AddressKey& key);
  // One more handshake; false where `rate` is used up for this window.
  bool Handshake(const AddressKey& key, const conf::Rate& rate, Clock::time_point now);
  // The backend has said no to a complete log-in.
  void Failed(const AddressKey& key, const conf::Rate& rate, Clock::time_point now);
  // Log-ins from there are refused until the window has passed.
  bool Throttled(const AddressKey& key, const conf::Rate& rate, Clock::time_point now);

  struct Row {
    std::string address;
    uint64_t failures = 0;
    std::chrono::seconds left{0};
  };
  // The throttled ones, at most `most`. For the status page.
  std::vector<Row> ThrottledNow(const conf::Rate& rate, Clock::time_point now, size_t most) const;

 private:
  struct Window {
    Clock::time_point start{};
    uint64_t count = 0;
  };
  struct Entry {
    AddressKey key;
    uint64_t connections = 0;
    Window handshakes;
    Window failures;
  };
  struct Hasher {
    size_t operator()(const AddressKey& key) const { return key.Hash(); }
  };
  struct Shard {
    mutable std::mutex mutex;
    std::list<Entry> by_heat;  // the hottest first
    std::unordered_map<AddressKey, std::list<Entry>::iterator, Hasher> index;
  };
  static constexpr size_t kShards = 16;

  Shard& ShardOf(const AddressKey& key) { return shards_[key.Hash() >> 60]; }
  static Entry& Touch(Shard& shard, const AddressKey& key);
  static bool Count(Window& window, const conf::Rate& rate, Clock::time_point now);

  std::array<Shard, kShards> shards_;
};

}  // namespace postern
