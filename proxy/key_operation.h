// A signature with a key that takes long to sign with (RSA), made on another thread so that the
// other sessions of a worker go on meanwhile. BoringSSL asks for it through an
// SSL_PRIVATE_KEY_METHOD; the session carries it to libuv's thread pool and back.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>

namespace postern {

class KeyOperation {
 public:
  KeyOperation(EVP_PKEY* key, uint16_t algorithm, std::string input);

  // Any thread, once. Nothing else is called meanwhile.
  void Run();

  bool done() const { return done_; }
  // Empty where signing failed.
  const std::string& signature() const { return signature_; }

 private:
  bssl::UniquePtr<EVP_PKEY> key_;
  const uint16_t algorithm_;  // TLS SignatureScheme
  const std::string input_;
  std::string signature_;
  bool done_ = false;
};

// Makes `ssl` sign with `key` in this way. The chain is set with SSL_set_chain_and_key and the
// method that comes back.
const SSL_PRIVATE_KEY_METHOD* UseSlowKey(SSL* ssl, EVP_PKEY* key);

// What a handshake waits for that has said SSL_ERROR_WANT_PRIVATE_KEY_OPERATION; it goes on once
// that has run.
std::shared_ptr<KeyOperation> PendingOperation(const SSL* ssl);

}  // namespace postern
