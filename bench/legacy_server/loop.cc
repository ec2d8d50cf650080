#include "bench/legacy_server/loop.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

namespace postern::legacy {
namespace {

struct AddressFree {
  void operator()(addrinfo* info) const { freeaddrinfo(info); }
};

// A listening socket, or -1 with errno.
int OpenListener(const Endpoint& endpoint, int backlog) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const char* host = endpoint.host.empty() ? nullptr : endpoint.host.c_str();
  if (getaddrinfo(host, std::to_string(endpoint.port).c_str(), &hints, &found) != 0) {
    errno = EADDRNOTAVAIL;
    return -1;
  }
  std::unique_ptr<addrinfo, AddressFree> address(found);
  int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // inherited by what it accepts
  if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, backlog) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

uint16_t PortOf(int fd) {
  sockaddr_storage address = {};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  // The port stands at the same place in both families.
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

}  // namespace

Loop::Loop(Shared& shared) : shared_(shared), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

Loop::~Loop() {
  for (const Listener& listener : listeners_) close(listener.fd);
  close(epoll_);
}

bool Loop::Listen(Endpoint& endpoint) {
  int fd = OpenListener(endpoint, kBacklog);
  if (fd < 0) return false;
  endpoint.port = PortOf(fd);
  listeners_.push_back({fd, endpoint.protocol});
  epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Loop::Run() {
  std::array<epoll_event, kEventsPerTurn> events;
  for (;;) {
    int count = epoll_wait(epoll_, events.data(), kEventsPerTurn, MillisecondsToWait());
    for (int i = 0; i < count; ++i) OnEvent(events[i].data.fd, events[i].events);
    RunTimers();
    if ((!idlers_.empty() || starved_) && Clock::now() >= next_tick_) Tick();
  }
}

int Loop::MillisecondsToWait() const {
  if (timers_.empty()) return idlers_.empty() && !starved_ ? -1 : int{kTick.count()};
  auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_.top().when - Clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, kTick.count()));
}

void Loop::OnEvent(int fd, uint32_t events) {
  for (const Listener& listener : listeners_) {
    if (listener.fd == fd) return Accept(listener);
  }
  Connection* connection = slots_[fd].connection.get();
  if (connection == nullptr) return;  // ended earlier in this turn
  bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
  bool alive = true;
  if ((events & EPOLLOUT) != 0) alive = connection->OnWritable(buffer_);
  if (alive && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 && connection->wants_read()) {
    alive = connection->OnReadable(buffer_);
  }
  Settle(fd, alive && !broken);
}

void Loop::Accept(const Listener& listener) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    int fd = accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      starved_ = errno == EMFILE || errno == ENFILE;
      if (!starved_) return;
      epoll_event none = {.events = 0, .data = {.fd = listener.fd}};
      epoll_ctl(epoll_, EPOLL_CTL_MOD, listener.fd, &none);
      return;
    }
    uint64_t number = shared_.next_number.fetch_add(1, std::memory_order_relaxed);
    if (slots_.size() <= static_cast<size_t>(fd)) slots_.resize(fd + 64);
    auto dialogue = MakeDialogue(listener.protocol, number, shared_.options, shared_.store);
    slots_[fd].number = number;
    slots_[fd].connection = std::make_unique<Connection>(
        fd, std::string(ProtocolName(listener.protocol)) + "#" + std::to_string(number),
        std::move(dialogue), shared_.options, shared_.journal);
    epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
    slots_[fd].connection->registered = EPOLLIN;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    Settle(fd, slots_[fd].connection->Start(buffer_));
  }
}

// After anything happened on a connection: ends it, or brings epoll and timers up to date.
void Loop::Settle(int fd, bool alive) {
  std::unique_ptr<Connection>& connection = slots_[fd].connection;
  if (!alive) {
    connection.reset();
    if (!idlers_.empty()) idlers_.erase(fd);
    return;
  }
  uint32_t wanted = (connection->wants_read() ? uint32_t{EPOLLIN} : 0) |
                    (connection->wants_write() ? uint32_t{EPOLLOUT} : 0);
  if (wanted != connection->registered) {
    connection->registered = wanted;
    epoll_event event = {.events = wanted, .data = {.fd = fd}};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
  }
  if (connection->due()) timers_.push({*connection->due(), fd, slots_[fd].number});
  if (connection->waits_for_news()) {
    idlers_.insert(fd);
  } else if (!idlers_.empty()) {
    idlers_.erase(fd);
  }
}

void Loop::RunTimers() {
  while (!timers_.empty() && timers_.top().when <= Clock::now()) {
    Due due = timers_.top();
    timers_.pop();
    Slot& slot = slots_[due.fd];
    // The descriptor may belong to another connection by now, or the wait to a later timer.
    if (!slot.connection || slot.number != due.number || slot.connection->due() != due.when) {
      continue;
    }
    Settle(due.fd, slot.connection->OnTime(buffer_));
  }
}

void Loop::Tick() {
  next_tick_ = Clock::now() + kTick;
  std::vector<int> idlers(idlers_.begin(), idlers_.end());
  for (int fd : idlers) Settle(fd, slots_[fd].connection->OnPoll(buffer_));
  if (!starved_) return;
  starved_ = false;
  for (const Listener& listener : listeners_) {
    epoll_event event = {.events = EPOLLIN, .data = {.fd = listener.fd}};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, listener.fd, &event);
  }
}

}  // namespace postern::legacy
