// A password, challenge answer or key: bytes that can't be printed, compared by accident or left
// behind.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace postern {

// Overwrites memory in a way that the compiler does not remove.
void Wipe(void* data, size_t size);
void Wipe(std::string& text);  // its whole capacity; leaves it empty

// As text.append(bytes), but where the text has to move no copy of it stays behind.
void AppendSecretly(std::string& text, std::string_view bytes);

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view bytes) : bytes_(bytes) {}
  // Takes the bytes and wipes what `bytes` held.
  static Secret Take(std::string& bytes);

  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { Wipe(bytes_); }

  // The one way to the bytes; valid while this object lives and is not assigned to.
  std::string_view Reveal() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  void Clear() { Wipe(bytes_); }

 private:
  std::string bytes_;
};

}  // namespace postern
