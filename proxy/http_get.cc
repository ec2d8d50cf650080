#include "proxy/http_get.h"

#include <netdb.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace postern {
namespace {

using std::chrono::steady_clock;

class Socket {
 public:
  explicit Socket(int family)
      : fd_(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  Socket(const Socket&) = delete;
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

// False once the time is over.
bool Wait(const Socket& socket, short events, steady_clock::time_point deadline) {
  while (true) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) {
      errno = ETIMEDOUT;
      return false;
    }
    pollfd entry{socket.fd(), events, 0};
    int ready = poll(&entry, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

bool Connect(const Socket& socket, const sockaddr* address, socklen_t size,
             steady_clock::time_point deadline) {
  if (socket.fd() < 0) return false;
  if (connect(socket.fd(), address, size) == 0) return true;
  if (errno != EINPROGRESS || !Wait(socket, POLLOUT, deadline)) return false;
  int error = 0;
  socklen_t error_size = sizeof error;
  getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &error_size);
  errno = error;
  return error == 0;
}

std::optional<Socket> ConnectUnix(const std::string& path, steady_clock::time_point deadline) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) {
    errno = ENAMETOOLONG;
    return std::nullopt;
  }
  std::memcpy(name.sun_path, path.data(), path.size());
  Socket socket(AF_UNIX);
  if (!Connect(socket, reinterpret_cast<sockaddr*>(&name), sizeof name, deadline)) {
    return std::nullopt;
  }
  return socket;
}

std::optional<Socket> ConnectTcp(const conf::Address& address, steady_clock::time_point deadline,
                                 std::string& error) {
  std::string host = address.host;
  if (host.empty() || host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int failure = getaddrinfo(host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (failure != 0) {
    error = gai_strerror(failure);
    return std::nullopt;
  }
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    Socket socket(one->ai_family);
    if (Connect(socket, one->ai_addr, one->ai_addrlen, deadline)) return socket;
  }
  return std::nullopt;
}

bool SendAll(const Socket& socket, std::string_view bytes, steady_clock::time_point deadline) {
  while (!bytes.empty()) {
    ssize_t sent = send(socket.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno != EINTR && (errno != EAGAIN || !Wait(socket, POLLOUT, deadline))) {
      return false;
    }
  }
  return true;
}

bool ReadAll(const Socket& socket, std::string& bytes, steady_clock::time_point deadline) {
  std::array<char, 16384> buffer;
  while (Wait(socket, POLLIN, deadline)) {
    ssize_t n = recv(socket.fd(), buffer.data(), buffer.size(), 0);
    if (n == 0) return true;
    if (n < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (n > 0) bytes.append(buffer.data(), static_cast<size_t>(n));
    if (bytes.size() > kMaxHttpAnswer) {
      errno = EMSGSIZE;
      return false;
    }
  }
  return false;
}

// The value of Content-Length in a head that ends with an empty line; nullopt: there is none.
std::optional<size_t> ContentLength(std::string_view head) {
  constexpr std::string_view kName = "content-length:";
  while (!head.empty()) {
    size_t end = head.find("\r\n");
    std::string_view line = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
    if (line.size() < kName.size() || strncasecmp(line.data(), kName.data(), kName.size()) != 0) {
      continue;
    }
    line.remove_prefix(kName.size());
    while (line.starts_with(' ')) line.remove_prefix(1);
    size_t value = 0;
    auto [rest, failure] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (failure == std::errc() && rest == line.data() + line.size()) return value;
  }
  return std::nullopt;
}

HttpAnswer Parse(const std::string& bytes) {
  HttpAnswer answer;
  constexpr std::string_view kStart = "HTTP/1.";
  constexpr size_t kStatusAt = 9;  // behind "HTTP/1.1 "
  size_t head_end = bytes.find("\r\n\r\n");
  int status = 0;
  if (head_end == std::string::npos || !bytes.starts_with(kStart) ||
      std::from_chars(bytes.data() + kStatusAt, bytes.data() + kStatusAt + 3, status).ec !=
          std::errc()) {
    answer.error = "what answers there does not speak HTTP";
    return answer;
  }
  answer.body = bytes.substr(head_end + 4);
  std::optional<size_t> length = ContentLength(std::string_view(bytes).substr(0, head_end));
  if (length && *length != answer.body.size()) {
    answer.error = "the answer was cut off";
    return answer;
  }
  answer.status = status;
  return answer;
}

}  // namespace

HttpAnswer HttpGet(const conf::Address& address, const std::string& path,
                   steady_clock::duration timeout) {
  auto deadline = steady_clock::now() + timeout;
  HttpAnswer answer;
  std::optional<Socket> socket = address.is_unix() ? ConnectUnix(address.path, deadline)
                                                   : ConnectTcp(address, deadline, answer.error);
  std::string bytes;
  // HTTP/1.0: the answer comes in one piece and ends with the connection. This is no browser, so
  // any Host that is taken will do.
  const std::string request = "GET " + path + " HTTP/1.0\r\nHost: localhost\r\n\r\n";
  if (socket && SendAll(*socket, request, deadline) && ReadAll(*socket, bytes, deadline)) {
    return Parse(bytes);
  }
  if (answer.error.empty()) answer.error = std::strerror(errno);
  return answer;
}

}  // namespace postern
