#include "proxy/admin_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace postern {
namespace {

constexpr int kBacklog = 512;
constexpr mode_t kUnixSocketMode = 0660;

AdminSocket Failed(int fd, const std::string& what) {
  AdminSocket socket;
  socket.error = what + ": " + std::strerror(errno);
  if (fd >= 0) close(fd);
  return socket;
}

int NewSocket(int family) { return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

void SetFlag(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);
}

int BindAndListen(int fd, const sockaddr* address, socklen_t size) {
  if (bind(fd, address, size) != 0) return -1;
  return listen(fd, kBacklog);
}

// Whether somebody listens where a socket that shares its port is about to.
bool InUse(int family, const sockaddr* address, socklen_t size, bool only_v6) {
  int fd = NewSocket(family);
  if (fd < 0) return false;
  SetFlag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (family == AF_INET6) SetFlag(fd, IPPROTO_IPV6, IPV6_V6ONLY, only_v6 ? 1 : 0);
  bool in_use = bind(fd, address, size) != 0 && errno == EADDRINUSE;
  close(fd);
  return in_use;
}

AdminSocket OpenTcp(int family, const sockaddr* address, socklen_t size, bool only_v6,
                    const std::string& text) {
  AdminSocket result;
  result.shared = InUse(family, address, size, only_v6);
  int fd = NewSocket(family);
  if (fd < 0) return Failed(fd, text);
  SetFlag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  SetFlag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (family == AF_INET6) SetFlag(fd, IPPROTO_IPV6, IPV6_V6ONLY, only_v6 ? 1 : 0);
  if (BindAndListen(fd, address, size) != 0) return Failed(fd, text);
  result.fd = fd;
  return result;
}

AdminSocket OpenAnyHost(uint16_t port, const std::string& text) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  AdminSocket socket = OpenTcp(AF_INET6, reinterpret_cast<sockaddr*>(&v6), sizeof v6, false, text);
  if (socket.fd >= 0 || errno != EAFNOSUPPORT) return socket;
  // A machine without IPv6.
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  return OpenTcp(AF_INET, reinterpret_cast<sockaddr*>(&v4), sizeof v4, false, text);
}

AdminSocket OpenHost(const conf::Address& address, const std::string& text) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  int failure =
      getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (failure != 0) {
    AdminSocket socket;
    socket.error = text + ": " + gai_strerror(failure);
    return socket;
  }
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  return OpenTcp(found->ai_family, found->ai_addr, found->ai_addrlen, true, text);
}

AdminSocket OpenUnix(const conf::Address& address, const std::string& text) {
  // One character longer than the path would be one too many for a path of full length.
  std::string beside = address.path;
  beside.back() = beside.back() == '~' ? '-' : '~';
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (beside.size() >= sizeof name.sun_path) {
    errno = ENAMETOOLONG;
    return Failed(-1, text);
  }
  std::memcpy(name.sun_path, beside.data(), beside.size());
  int fd = NewSocket(AF_UNIX);
  if (fd < 0) return Failed(fd, text);
  struct stat info {};
  if (lstat(address.path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode)) {
    errno = EEXIST;  // a file that is no socket is not ours to replace
    return Failed(fd, text);
  }
  if (lstat(beside.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) unlink(beside.c_str());
  if (BindAndListen(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) != 0) {
    return Failed(fd, text);
  }
  if (chmod(beside.c_str(), kUnixSocketMode) != 0 ||
      rename(beside.c_str(), address.path.c_str()) != 0) {
    AdminSocket failed = Failed(fd, text);
    unlink(beside.c_str());
    return failed;
  }
  AdminSocket socket;
  socket.fd = fd;
  return socket;
}

}  // namespace

AdminSocket OpenAdminSocket(const conf::Address& address) {
  std::string text = "admin address " + address.Text();
  if (address.is_unix()) return OpenUnix(address, text);
  if (address.any_host()) return OpenAnyHost(address.port, text);
  return OpenHost(address, text);
}

}  // namespace postern
