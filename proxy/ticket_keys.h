// The keys that session tickets are sealed with (RFC 5077, 4; RFC 8446, 4.6.1). One keyring for
// each key file, and one for listeners without a file, which makes its own keys and turns them.
// Shared by all workers; a lock is taken once a handshake, never on a path of bytes.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace postern {

class TicketKeys {
 public:
  static constexpr size_t kKeySize = 48;  // name 16, AES-128 16, HMAC-SHA-256 16: nginx's layout
  static constexpr size_t kMaxKeys = 64;
  static constexpr std::chrono::hours kTurn{
      8};  // own keys: a new one seals, the two before still open

  TicketKeys() { Turn(); }
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  // A file's content: the first key seals, all open. False where it is no whole number of keys
  // (nothing changes).
  bool Set(std::string_view bytes);
  // A fresh random key seals from now on.
  void Turn();
  // Makes `context` use these keys; they outlive it.
  void Attach(SSL_CTX* context);

 private:
  struct Key {
    std::array<uint8_t, 16> name, aes, hmac;
  };
  static int Callback(SSL* ssl, uint8_t* name, uint8_t* iv, EVP_CIPHER_CTX* cipher, HMAC_CTX* hmac,
                      int encrypt);
  int Use(uint8_t* name, uint8_t* iv, EVP_CIPHER_CTX* cipher, HMAC_CTX* hmac, bool encrypt);

  std::mutex mutex_;
  std::vector<Key> keys_;
};

}  // namespace postern
