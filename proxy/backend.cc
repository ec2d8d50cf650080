#include "proxy/backend.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "proxy/tls_engine.h"

namespace postern {
namespace {

// Addresses that need no resolver: Unix sockets and numeric ones.
Addresses FixedAddress(const conf::Address& address) {
  sockaddr_storage storage{};
  if (address.is_unix()) {
    auto* local = reinterpret_cast<sockaddr_un*>(&storage);
    local->sun_family = AF_UNIX;
    address.path.copy(local->sun_path, sizeof local->sun_path - 1);
  } else if (auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
             inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
  } else if (auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
             inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
  } else {
    return nullptr;
  }
  return std::make_shared<const std::vector<sockaddr_storage>>(1, storage);
}

uint64_t Mix(uint64_t x) {  // splitmix64's finalizer
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9u;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

Server::Server(conf::Server conf)
    : conf_(std::move(conf)), addresses_(FixedAddress(conf_.address)) {}

Addresses Server::addresses() const {
  const std::lock_guard lock(mutex_);
  return addresses_;
}

void Server::SetAddresses(Addresses addresses) {
  const std::lock_guard lock(mutex_);
  addresses_ = std::move(addresses);
}

bool Server::Checked(bool good, std::string_view error, const conf::Health& health) {
  const std::lock_guard lock(mutex_);
  checked_.store(true, std::memory_order_relaxed);
  good_in_row_ = good ? good_in_row_ + 1 : 0;
  bad_in_row_ = good ? 0 : bad_in_row_ + 1;
  if (!good) last_error_ = error;
  const bool was = up();
  const bool now = was ? bad_in_row_ < health.fall : good_in_row_ >= health.rise;
  if (was == now) return false;
  up_.store(now, std::memory_order_relaxed);
  since_ = std::chrono::system_clock::now();
  return true;
}

Server::View Server::view() const {
  const std::lock_guard lock(mutex_);
  return {up(), checked(), since_, last_error_};
}

Backend::Backend(conf::Backend conf, bssl::UniquePtr<SSL_CTX> client_context,
                 std::string authorities)
    : conf_(std::move(conf)),
      client_context_(std::move(client_context)),
      authorities_(std::move(authorities)) {
  for (const conf::Server& server : conf_.servers) {
    servers_.push_back(std::make_unique<Server>(server));
  }
  credit_.resize(servers_.size());
}

std::unique_ptr<TlsEngine> Backend::MakeTls(size_t server, TlsBio& bio) const {
  auto engine = std::make_unique<TlsEngine>(client_context_.get(), false, bio);
  if (!engine->SetServerName(conf_.CertificateName(server), conf_.verify.on)) return nullptr;
  return engine;
}

std::vector<uint32_t> Backend::Order(uint64_t source) {
  std::vector<uint32_t> order(servers_.size());
  std::iota(order.begin(), order.end(), 0u);
  const auto down = std::stable_partition(order.begin(), order.end(),
                                          [this](uint32_t i) { return servers_[i]->up(); });
  const std::vector<uint32_t> up(order.begin(), down);
  if (up.size() < 2) return order;
  uint32_t first = up.front();
  switch (conf_.balance) {
    case conf::Balance::kRoundRobin:
      first = RoundRobin(up);
      break;
    case conf::Balance::kLeastConnections:
      first = LeastConnections(up);
      break;
    case conf::Balance::kSource:
      first = BySource(up, source);
      break;
  }
  std::rotate(order.begin(), std::find(order.begin(), down, first), down);
  return order;
}

// Smooth and weighted: every server gains its weight, the richest is taken and pays the sum.
uint32_t Backend::RoundRobin(const std::vector<uint32_t>& from) {
  const std::lock_guard lock(mutex_);
  int64_t sum = 0;
  uint32_t best = from.front();
  for (const uint32_t i : from) {
    credit_[i] += servers_[i]->conf().weight;
    sum += servers_[i]->conf().weight;
    if (credit_[i] > credit_[best]) best = i;
  }
  credit_[best] -= sum;
  return best;
}

uint32_t Backend::LeastConnections(const std::vector<uint32_t>& from) const {
  auto load = [this](uint32_t i) {
    return (servers_[i]->active.load(std::memory_order_relaxed) + 1.0) / servers_[i]->conf().weight;
  };
  return *std::min_element(from.begin(), from.end(),
                           [&](uint32_t a, uint32_t b) { return load(a) < load(b); });
}

// Weighted rendezvous hashing: a server that goes takes only its own clients with it.
uint32_t Backend::BySource(const std::vector<uint32_t>& from, uint64_t source) const {
  auto score = [&](uint32_t i) {
    const uint64_t hash = Mix(source ^ Mix(std::hash<std::string>{}(servers_[i]->name())));
    const double unit = (static_cast<double>(hash >> 11) + 0.5) / 9007199254740992.0;
    return -static_cast<double>(servers_[i]->conf().weight) / std::log(unit);
  };
  return *std::max_element(from.begin(), from.end(),
                           [&](uint32_t a, uint32_t b) { return score(a) < score(b); });
}

bool Backend::HasServerUp() const {
  return std::any_of(servers_.begin(), servers_.end(), [](const auto& s) { return s->up(); });
}

bool Backend::Checked() const {
  return std::all_of(servers_.begin(), servers_.end(), [](const auto& s) { return s->checked(); });
}

ProbedCapabilities Backend::probed() const {
  const std::lock_guard lock(mutex_);
  return probed_;
}

void Backend::SetProbed(std::vector<std::string> capabilities) {
  auto shared = std::make_shared<const std::vector<std::string>>(std::move(capabilities));
  const std::lock_guard lock(mutex_);
  probed_ = std::move(shared);
}

}  // namespace postern
