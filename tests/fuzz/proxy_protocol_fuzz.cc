// links: postern_proxy
// PROXY headers: any way of cutting the same bytes gives the same answer, nothing beyond the limits
// is waited for, and an address that was read is written as it was.
#include <sys/socket.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proxy/proxy_protocol.h"
#include "proxy/socket_address.h"

namespace {

using namespace postern;
using State = ProxyHeader::State;

void Require(bool condition) {
  if (!condition) std::abort();
}

bool SameEnd(const sockaddr_storage& a, const sockaddr_storage& b) {
  return AddressText(Unmapped(a)) == AddressText(b) && AddressPort(a) == AddressPort(b);
}

void CheckCuts(std::string_view bytes, const ProxyHeader& whole) {
  bool refused = false;
  for (size_t size = 0; size < bytes.size(); ++size) {
    const ProxyHeader part = ParseProxyHeader(bytes.substr(0, size));
    if (refused) Require(part.state == State::kMalformed);
    refused = part.state == State::kMalformed;
    if (part.state == State::kDone) Require(size >= whole.size && part.size == whole.size);
    if (whole.state == State::kDone && size < whole.size) Require(part.state == State::kNeedMore);
  }
  if (refused) Require(whole.state == State::kMalformed);
}

void CheckWritten(const ProxyHeader& header) {
  for (const ProxyVersion version : {ProxyVersion::kV1, ProxyVersion::kV2}) {
    const ProxyHeader again =
        ParseProxyHeader(MakeProxyHeader(version, header.client, header.server));
    Require(again.state == State::kDone);
    const bool same_family = Unmapped(header.client).ss_family == Unmapped(header.server).ss_family;
    if (header.client.ss_family == AF_UNIX || !same_family) {
      Require(!again.has_address);
    } else {
      Require(again.has_address && SameEnd(header.client, again.client) &&
              SameEnd(header.server, again.server));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const ProxyHeader whole = ParseProxyHeader(bytes);
  if (whole.state == State::kNeedMore) Require(size < kMaxProxyV2);
  if (whole.state == State::kDone) Require(whole.size <= size && whole.size > 0);
  CheckCuts(bytes, whole);
  if (whole.state == State::kDone && whole.has_address) CheckWritten(whole);
  return 0;
}
