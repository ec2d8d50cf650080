#include "bench/legacy_server/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "bench/legacy_server/text.h"

namespace postern::legacy {

Journal::Journal(const std::string& path)
    : fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600)) {}

Journal::~Journal() {
  if (fd_ >= 0) close(fd_);
}

void Journal::Event(std::string_view connection, std::string_view what) {
  Write(std::string(connection) + " " + std::string(what) + "\n");
}

void Journal::Received(std::string_view connection, std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    size_t end = std::min(bytes.find('\n'), bytes.size() - 1) + 1;
    text.append(connection).append(": ").append(Escape(bytes.substr(0, end))).append("\n");
    bytes.remove_prefix(end);
  }
  Write(text);
}

void Journal::Write(std::string_view text) {
  std::lock_guard lock(mutex_);
  while (!text.empty()) {
    ssize_t written = write(fd_, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace postern::legacy
