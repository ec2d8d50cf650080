#include "proxy/listen_sockets.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

namespace postern {
namespace {

constexpr int kBacklog = 4096;  // the kernel lowers it to net.core.somaxconn

struct FreeAddrInfo {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using AddrInfo = std::unique_ptr<addrinfo, FreeAddrInfo>;

AddrInfo Lookup(const conf::Address& address, std::string& error) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const std::string port = std::to_string(address.port);
  const int result =
      getaddrinfo(address.any_host() ? nullptr : address.host.c_str(), port.c_str(), &hints, &list);
  if (result != 0) error = gai_strerror(result);
  return AddrInfo(list);
}

bool SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// One TCP socket that listens; -1 with errno set. Options are inherited by what is accepted from
// it.
int ListenTcp(const sockaddr* address, socklen_t size, bool both_families) {
  const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  bool good =
      SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1) && SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1) &&
      SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1) && SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  if (address->sa_family == AF_INET6) {
    good = good && SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, both_families ? 0 : 1);
  }
  if (good && bind(fd, address, size) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

ino_t InodeOf(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

// Every new connection goes to the socket with that index in its group; an index beyond the group
// falls back to the kernel's own choice.
void Steer(int fd, uint32_t index) {
  sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, index)};
  const sock_fprog program = {1, code};
  setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program);
}

}  // namespace

ListenSocket::ListenSocket(ListenSocket&& other) noexcept { *this = std::move(other); }

ListenSocket& ListenSocket::operator=(ListenSocket&& other) noexcept {
  if (this == &other) return *this;
  Close();
  address_ = std::move(other.address_);
  fds_ = std::exchange(other.fds_, {});
  group_ = other.group_;
  inode_ = std::exchange(other.inode_, 0);
  left_to_others_ = std::exchange(other.left_to_others_, false);
  return *this;
}

bool ListenSocket::Open(const conf::Address& address, size_t count, ListenSocket& socket,
                        std::string& error) {
  socket.Close();
  socket.address_ = address;
  return address.is_unix() ? socket.OpenUnix(error) : socket.OpenTcp(count, error);
}

ListenSocket ListenSocket::Adopt(const conf::Address& address, std::vector<int> fds) {
  ListenSocket socket;
  socket.address_ = address;
  socket.fds_ = std::move(fds);
  socket.group_ = socket.fds_.size();
  if (address.is_unix()) socket.inode_ = InodeOf(address.path);
  return socket;
}

bool ListenSocket::OpenTcp(size_t count, std::string& error) {
  const AddrInfo list = Lookup(address_, error);
  if (!list) return false;
  // Any host means both families in one socket, IPv4 alone where the machine has no IPv6.
  std::vector<const addrinfo*> candidates;
  for (const addrinfo* a = list.get(); a != nullptr; a = a->ai_next) {
    if (a->ai_family == AF_INET6 && address_.any_host()) {
      candidates.insert(candidates.begin(), a);
    } else {
      candidates.push_back(a);
    }
  }
  // A name that stands for several addresses means all of them; "" is one socket for all there are.
  for (const addrinfo* candidate : candidates) {
    const size_t before = fds_.size();
    while (fds_.size() < before + count) {
      const int fd = ListenTcp(candidate->ai_addr, candidate->ai_addrlen, address_.any_host());
      if (fd < 0) break;
      fds_.push_back(fd);
    }
    if (fds_.size() == before + count) {
      group_ = count;
      if (address_.any_host()) return true;
      continue;
    }
    error = strerror(errno);
    const bool no_family = errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL;
    while (fds_.size() > before) {
      close(fds_.back());
      fds_.pop_back();
    }
    if (no_family) continue;
    Close();
    return false;
  }
  return !fds_.empty();
}

bool ListenSocket::OpenUnix(std::string& error) {
  const std::string temporary = address_.path + "." + std::to_string(getpid());
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (temporary.size() >= sizeof name.sun_path) {
    error = "the path is too long";
    return false;
  }
  struct stat there {};
  if (lstat(address_.path.c_str(), &there) == 0 && !S_ISSOCK(there.st_mode)) {
    error = "something that is no socket has this name";
    return false;
  }
  temporary.copy(name.sun_path, sizeof name.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  unlink(temporary.c_str());
  if (fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0 &&
      listen(fd, kBacklog) == 0 && chmod(temporary.c_str(), 0666) == 0 &&
      rename(temporary.c_str(), address_.path.c_str()) == 0) {
    fds_.push_back(fd);
    group_ = 1;
    inode_ = InodeOf(address_.path);
    return true;
  }
  error = strerror(errno);
  if (fd >= 0) close(fd);
  unlink(temporary.c_str());
  return false;
}

void ListenSocket::SteerAway() const {
  if (address_.is_unix()) return;
  for (size_t i = 0; i < fds_.size(); i += group_) Steer(fds_[i], static_cast<uint32_t>(group_));
}

void ListenSocket::Close() {
  const bool mine = !left_to_others_;
  if (mine && inode_ != 0 && InodeOf(address_.path) == inode_) unlink(address_.path.c_str());
  // When the first one leaves, the last of its group takes its place: one of another process's,
  // where there are any.
  for (size_t i = 0; i < fds_.size(); ++i) {
    close(fds_[i]);
    if (mine && !address_.is_unix() && i % group_ == 0 && group_ > 1) Steer(fds_[i + 1], 0);
  }
  inode_ = 0;
  left_to_others_ = false;
  fds_.clear();
}

}  // namespace postern
