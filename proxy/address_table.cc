#include "proxy/address_table.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <iterator>
#include <optional>

#include "conf/network.h"

namespace postern {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool IsMapped(const std::array<uint8_t, 16>& bytes) {
  return std::memcmp(bytes.data(), kMappedPrefix.data(), kMappedPrefix.size()) == 0;
}

std::string TextOf(const AddressKey& key) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (IsMapped(key.bytes)) {
    inet_ntop(AF_INET, key.bytes.data() + 12, text.data(), text.size());
    return text.data();
  }
  inet_ntop(AF_INET6, key.bytes.data(), text.data(), text.size());
  return std::string(text.data()) + "/64";
}

}  // namespace

uint64_t AddressKey::Hash() const {
  uint64_t high = 0;
  uint64_t low = 0;
  std::memcpy(&high, bytes.data(), 8);
  std::memcpy(&low, bytes.data() + 8, 8);
  uint64_t x = high * 0x9e3779b97f4a7c15u ^ low;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  x ^= x >> 32;
  return x * 0x9e3779b97f4a7c15u;
}

std::optional<AddressKey> KeyOf(const sockaddr* address) {
  AddressKey key;
  if (!conf::AddressBytes(address, key.bytes)) return std::nullopt;
  if (!IsMapped(key.bytes)) std::memset(key.bytes.data() + 8, 0, 8);
  return key;
}

AddressTable::Entry& AddressTable::Touch(Shard& shard, const AddressKey& key) {
  if (const auto found = shard.index.find(key); found != shard.index.end()) {
    shard.by_heat.splice(shard.by_heat.begin(), shard.by_heat, found->second);
    return shard.by_heat.front();
  }
  if (shard.by_heat.size() >= kMaxAddresses / kShards) {
    // The coldest without a connection; those with one are as many as limits.connections allows.
    for (auto it = std::prev(shard.by_heat.end());; --it) {
      if (it->connections == 0) {
        shard.index.erase(it->key);
        shard.by_heat.erase(it);
        break;
      }
      if (it == shard.by_heat.begin()) break;
    }
  }
  shard.by_heat.push_front(Entry{key, 0, {}, {}});
  shard.index[key] = shard.by_heat.begin();
  return shard.by_heat.front();
}

bool AddressTable::Connect(const AddressKey& key, uint64_t limit, Clock::time_point) {
  Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  Entry& entry = Touch(shard, key);
  if (limit != 0 && entry.connections >= limit) return false;
  ++entry.connections;
  return true;
}

void AddressTable::Disconnect(const AddressKey& key) {
  Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.index.find(key);
  if (found != shard.index.end() && found->second->connections > 0) --found->second->connections;
}

bool AddressTable::Count(Window& window, const conf::Rate& rate, Clock::time_point now) {
  if (rate.off()) return true;
  if (window.count == 0 || now - window.start >= rate.window) window = {now, 0};
  if (window.count >= rate.count) return false;
  ++window.count;
  return true;
}

bool AddressTable::Handshake(const AddressKey& key, const conf::Rate& rate, Clock::time_point now) {
  if (rate.off()) return true;
  Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  return Count(Touch(shard, key).handshakes, rate, now);
}

void AddressTable::Failed(const AddressKey& key, const conf::Rate& rate, Clock::time_point now) {
  if (rate.off()) return;
  Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  Count(Touch(shard, key).failures, rate, now);
}

bool AddressTable::Throttled(const AddressKey& key, const conf::Rate& rate, Clock::time_point now) {
  if (rate.off()) return false;
  Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.index.find(key);
  if (found == shard.index.end()) return false;
  const Window& window = found->second->failures;
  return window.count >= rate.count && now - window.start < rate.window;
}

std::vector<AddressTable::Row> AddressTable::ThrottledNow(const conf::Rate& rate,
                                                          Clock::time_point now,
                                                          size_t most) const {
  std::vector<Row> rows;
  if (rate.off()) return rows;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const Entry& entry : shard.by_heat) {
      const Window& window = entry.failures;
      if (rows.size() >= most) return rows;
      if (window.count < rate.count || now - window.start >= rate.window) continue;
      rows.push_back(
          {TextOf(entry.key), window.count,
           std::chrono::duration_cast<std::chrono::seconds>(window.start + rate.window - now)});
    }
  }
  return rows;
}

}  // namespace postern
