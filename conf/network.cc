#include "conf/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace postern::conf {
namespace {

constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kMappedBits = 96;
constexpr int kBits = 128;

bool IsMapped(const std::array<uint8_t, 16>& bytes) {
  return std::equal(kMapped.begin(), kMapped.end(), bytes.begin());
}

// How many bits count in `text`, an address without its prefix; 0: it is none.
int ParseBytes(const std::string& text, std::array<uint8_t, 16>& bytes) {
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return kBits;
  std::copy(kMapped.begin(), kMapped.end(), bytes.begin());
  return inet_pton(AF_INET, text.c_str(), bytes.data() + kMapped.size()) == 1 ? kBits - kMappedBits
                                                                              : 0;
}

uint8_t MaskOfByte(int prefix, size_t index) {
  const int bits = std::clamp(prefix - static_cast<int>(index) * 8, 0, 8);
  return static_cast<uint8_t>(0xff00 >> bits);
}

}  // namespace

Network::Network(const std::array<uint8_t, 16>& bytes, int prefix)
    : bytes_(bytes), prefix_(std::clamp(prefix, 0, kBits)) {
  for (size_t i = 0; i < bytes_.size(); ++i) bytes_[i] &= MaskOfByte(prefix_, i);
}

bool Network::Contains(const std::array<uint8_t, 16>& address) const {
  for (size_t i = 0; i < bytes_.size(); ++i) {
    if ((address[i] & MaskOfByte(prefix_, i)) != bytes_[i]) return false;
  }
  return true;
}

bool Network::StartsAt(const std::array<uint8_t, 16>& address) const { return address == bytes_; }

bool Network::Contains(const sockaddr* address) const {
  std::array<uint8_t, 16> bytes;
  return AddressBytes(address, bytes) && Contains(bytes);
}

std::string Network::Text() const {
  std::array<char, INET6_ADDRSTRLEN> text;
  const bool v4 = prefix_ >= kMappedBits && IsMapped(bytes_);
  if (v4) {
    inet_ntop(AF_INET, bytes_.data() + kMapped.size(), text.data(), text.size());
  } else {
    inet_ntop(AF_INET6, bytes_.data(), text.data(), text.size());
  }
  return std::string(text.data()) + "/" + std::to_string(v4 ? prefix_ - kMappedBits : prefix_);
}

Parsed<Network> ParseNetwork(std::string_view text) {
  constexpr std::string_view kWrong =
      "is no network: an address or address/bits, as in 10.0.0.0/8 or 2001:db8::/32";
  const size_t slash = text.find('/');
  std::array<uint8_t, 16> bytes{};
  const int bits = ParseBytes(std::string(text.substr(0, slash)), bytes);
  if (bits == 0) return {std::nullopt, std::string(kWrong)};
  int prefix = bits;
  if (slash != std::string_view::npos) {
    const char* first = text.data() + slash + 1;
    const char* last = text.data() + text.size();
    const auto [stop, error] = std::from_chars(first, last, prefix);
    if (error != std::errc() || stop != last || prefix < 0) {
      return {std::nullopt, std::string(kWrong)};
    }
    if (prefix > bits) {
      return {std::nullopt, "has more bits than the " + std::to_string(bits) + " of its address"};
    }
  }
  const Network network(bytes, kBits - bits + prefix);
  if (!network.StartsAt(bytes)) {
    return {std::nullopt, "has bits behind its prefix: did you mean " + network.Text() + "?"};
  }
  return {network, ""};
}

bool AddressBytes(const sockaddr* address, std::array<uint8_t, 16>& bytes) {
  if (address == nullptr) return false;
  if (address->sa_family == AF_INET6) {
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(address);
    std::memcpy(bytes.data(), &in6->sin6_addr, bytes.size());
    return true;
  }
  if (address->sa_family != AF_INET) return false;
  const auto* in4 = reinterpret_cast<const sockaddr_in*>(address);
  std::copy(kMapped.begin(), kMapped.end(), bytes.begin());
  std::memcpy(bytes.data() + kMapped.size(), &in4->sin_addr, 4);
  return true;
}

}  // namespace postern::conf
