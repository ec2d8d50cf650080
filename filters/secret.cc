#include "filters/secret.h"

#include <openssl/mem.h>

namespace postern {

void Wipe(void* data, size_t size) { OPENSSL_cleanse(data, size); }

void Wipe(std::string& text) {
  // Growing to the capacity moves nothing, and makes the bytes behind the end ours to write.
  text.resize(text.capacity());
  Wipe(text.data(), text.size());
  text.clear();
}

void AppendSecretly(std::string& text, std::string_view bytes) {
  if (text.capacity() - text.size() < bytes.size()) {
    std::string larger;
    larger.reserve(2 * text.size() + bytes.size());
    larger.append(text);
    Wipe(text);
    text.swap(larger);
  }
  text.append(bytes);
}

Secret Secret::Take(std::string& bytes) {
  Secret secret;
  secret.bytes_ = std::move(bytes);
  Wipe(bytes);  // a short string is copied by a move, and left as it was
  return secret;
}

Secret::Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) { Wipe(other.bytes_); }

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  Wipe(bytes_);
  bytes_ = std::move(other.bytes_);
  Wipe(other.bytes_);
  return *this;
}

}  // namespace postern
