// TLS as the configuration asks for it: the context of a listener (certificates by SNI and by what
// the client can do, ALPN, versions, tickets, client certificates) and of a backend. Made on the
// main thread, immutable after, shared by all workers through the snapshot.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"
#include "proxy/ticket_keys.h"

namespace postern {

// What there is to know of one configured certificate.
struct CertificateInfo {
  std::string chain;               // the file, as configured
  std::vector<std::string> names;  // DNS names and IP addresses, the subject's CN where it has none
  std::string issuer;
  std::string key_kind;  // "ECDSA P-256", "RSA 2048"
  double not_after = 0;  // Unix time
};

class ServerTls {
 public:
  // Null where something is wrong; every complaint is appended with its place in the configuration.
  static std::shared_ptr<const ServerTls> Make(const conf::Config& config,
                                               const conf::Listener& listener, TicketKeys& tickets,
                                               std::vector<conf::Mistake>& mistakes);

  SSL_CTX* context() const { return context_.get(); }
  std::vector<CertificateInfo> Certificates() const;

 private:
  struct Pair;
  ServerTls();
  bool LoadPairs(const conf::Config& config, const conf::Listener& listener,
                 std::vector<conf::Mistake>& mistakes);
  bool SetUp(const conf::Config& config, const conf::Listener& listener,
             std::vector<conf::Mistake>& mistakes);
  const Pair* Choose(const SSL_CLIENT_HELLO& hello) const;
  static enum ssl_select_cert_result_t Select(const SSL_CLIENT_HELLO* hello);
  static int SelectAlpn(SSL* ssl, const uint8_t** out, uint8_t* out_size, const uint8_t* in,
                        unsigned in_size, void* self);

  bssl::UniquePtr<SSL_CTX> context_;
  std::vector<std::unique_ptr<Pair>> pairs_;
  conf::Protocol protocol_ = conf::Protocol::kImap;
  conf::Alpn alpn_ = conf::Alpn::kStrict;

 public:
  ~ServerTls();
};

// The file of the authorities that a backend's certificates are held against.
std::string AuthoritiesOf(const conf::Backend& backend);

// A context for connections to a backend; null where its CA file is wrong.
bssl::UniquePtr<SSL_CTX> MakeClientContext(const conf::Config& config, const conf::Backend& backend,
                                           std::vector<conf::Mistake>& mistakes);

// Whole file of at most `limit` bytes; empty where it can't be read or is larger.
std::string ReadFile(const std::string& path, size_t limit = 1 << 20);

}  // namespace postern
