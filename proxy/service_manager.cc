#include "proxy/service_manager.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

namespace postern {
namespace {

constexpr int kFirstFd = 3;       // SD_LISTEN_FDS_START
constexpr size_t kMostFds = 253;  // of one message (SCM_MAX_FD)

std::string TakeEnvironment(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value != nullptr ? value : "";
  unsetenv(name);
  return text;
}

uint64_t Number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

bool IsForUs(std::string_view pid) { return Number(pid) == static_cast<uint64_t>(getpid()); }

}  // namespace

ServiceManager::ServiceManager() {
  socket_path_ = TakeEnvironment("NOTIFY_SOCKET");
  if (!socket_path_.empty()) socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  keeps_ = socket_ >= 0 && Number(TakeEnvironment("FDSTORE")) > 0;

  const uint64_t microseconds = Number(TakeEnvironment("WATCHDOG_USEC"));
  const std::string watchdog_pid = TakeEnvironment("WATCHDOG_PID");
  if (socket_ >= 0 && microseconds > 0 && (watchdog_pid.empty() || IsForUs(watchdog_pid))) {
    watchdog_ = std::chrono::microseconds(microseconds / 2);
  }

  const std::string listen_pid = TakeEnvironment("LISTEN_PID");
  const uint64_t count = Number(TakeEnvironment("LISTEN_FDS"));
  const std::string names = TakeEnvironment("LISTEN_FDNAMES");
  if (!IsForUs(listen_pid)) return;
  std::string_view rest = names;
  for (uint64_t i = 0; i < count; ++i) {
    const size_t colon = rest.find(':');
    const int fd = kFirstFd + static_cast<int>(i);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    kept_[std::string(rest.substr(0, colon))].push_back(fd);
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  }
  // Systemd before 254 does not say that it has a store; having given us sockets says so.
  keeps_ = keeps_ || (socket_ >= 0 && !kept_.empty());
}

ServiceManager::~ServiceManager() {
  if (socket_ >= 0) close(socket_);
}

// FDNAME takes no colon and few other characters.
std::string ServiceManager::NameOf(const std::string& address) {
  std::string name = "listen-";
  for (const char c : address) {
    const bool plain =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.';
    name += plain ? std::string(1, c) : fmt::format("_{:02x}", static_cast<unsigned char>(c));
  }
  return name.substr(0, 255);
}

std::vector<int> ServiceManager::TakeKept(const std::string& address) {
  const auto found = kept_.find(NameOf(address));
  if (found == kept_.end()) return {};
  std::vector<int> fds = std::move(found->second);
  kept_.erase(found);
  return fds;
}

void ServiceManager::DropUnused() {
  for (const auto& [name, fds] : std::exchange(kept_, {})) {
    for (const int fd : fds) close(fd);
    Send("FDSTOREREMOVE=1\nFDNAME=" + name);
  }
}

bool ServiceManager::Keep(const std::string& address, const std::vector<int>& fds) {
  if (socket_ < 0) return false;
  for (size_t i = 0; i < fds.size(); i += kMostFds) {
    const std::vector<int> some(
        fds.begin() + static_cast<std::ptrdiff_t>(i),
        fds.begin() + static_cast<std::ptrdiff_t>(std::min(fds.size(), i + kMostFds)));
    if (!Send("FDSTORE=1\nFDNAME=" + NameOf(address), some)) return false;
  }
  return true;
}

void ServiceManager::Forget(const std::string& address) {
  Send("FDSTOREREMOVE=1\nFDNAME=" + NameOf(address));
}

void ServiceManager::Ready() { Send("READY=1"); }

void ServiceManager::Reloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  Send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000 + now.tv_nsec / 1000));
}

void ServiceManager::Stopping() { Send("STOPPING=1"); }

void ServiceManager::Alive() { Send("WATCHDOG=1"); }

bool ServiceManager::Send(std::string_view state, const std::vector<int>& fds) {
  if (socket_ < 0) return false;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path_.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, socket_path_.data(), socket_path_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  iovec data{const_cast<char*>(state.data()), state.size()};
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_path_.size());
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  std::vector<char> control(fds.empty() ? 0 : CMSG_SPACE(sizeof(int) * fds.size()));
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  }
  return sendmsg(socket_, &message, MSG_NOSIGNAL) >= 0;
}

}  // namespace postern
