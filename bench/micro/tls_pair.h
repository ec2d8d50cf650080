// Two TLS engines in one process, a server's and a client's, with a certificate made on the spot.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "proxy/tls_engine.h"

namespace postern::bench {

enum class KeyKind { kEcdsaP256, kRsa2048 };

bssl::UniquePtr<SSL_CTX> MakeServerContext(KeyKind kind);
bssl::UniquePtr<SSL_CTX> MakeClientContext();

class TlsPair {
 public:
  TlsPair(SSL_CTX* server, SSL_CTX* client);

  // Until both sides are up; false where it fails.
  bool Shake();

  // Ciphertext that one side made goes to the other's input.
  void ToServer();
  void ToClient();

  TlsEngine& server() { return *server_; }
  TlsEngine& client() { return *client_; }
  TlsBio& server_io() { return server_io_; }
  TlsBio& client_io() { return client_io_; }
  OutBuffer& server_out() { return server_out_; }
  OutBuffer& client_out() { return client_out_; }

 private:
  static constexpr size_t kBuffer = size_t{1} << 20;

  TlsBio server_io_;
  TlsBio client_io_;
  OutBuffer server_out_{kBuffer};
  OutBuffer client_out_{kBuffer};
  std::string to_server_;
  std::string to_client_;
  std::unique_ptr<TlsEngine> server_;
  std::unique_ptr<TlsEngine> client_;
};

}  // namespace postern::bench
