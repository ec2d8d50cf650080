// The file that --log names: every byte that clients sent, a line of theirs a line of the log,
// escaped, behind the name of the connection. Shared by all threads.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

namespace postern::legacy {

class Journal {
 public:
  // Opens the file anew; good() tells whether it could.
  explicit Journal(const std::string& path);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  bool good() const { return fd_ >= 0; }

  void Event(std::string_view connection, std::string_view what);
  void Received(std::string_view connection, std::string_view bytes);

 private:
  void Write(std::string_view text);

  const int fd_;
  std::mutex mutex_;
};

}  // namespace postern::legacy
