// The client's side of TLS without a socket: ciphertext goes in and comes out as bytes. TLS 1.3 (or
// 1.2) with X25519; the server's certificate is not judged, its signature is checked.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace postern::loadgen {

class TlsContext {
 public:
  explicit TlsContext(bool tls12);

  SSL_CTX* get() const { return context_.get(); }

 private:
  bssl::UniquePtr<SSL_CTX> context_;
};

class TlsClient {
 public:
  enum class Status : uint8_t { kDone, kMore, kFailed };

  // `resume` may be null. Ciphertext to be sent is appended to `outgoing`, which outlives this.
  TlsClient(const TlsContext& context, SSL_SESSION* resume, std::string& outgoing);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  // What came from the socket. Must be used up by Handshake or Read before more comes.
  void Receive(std::string_view ciphertext) { incoming_ = ciphertext; }

  Status Handshake();

  // Plaintext: its size, 0 where more is needed, -1 at the end of the connection or of TLS.
  int Read(char* buffer, size_t size);

  bool Write(std::string_view plaintext);
  void SendCloseNotify();

  bool resumed() const { return SSL_session_reused(ssl_.get()) != 0; }

  // The newest ticket, taken away; null where none came.
  bssl::UniquePtr<SSL_SESSION> TakeTicket() { return std::move(ticket_); }

 private:
  friend class TlsContext;
  static const BIO_METHOD* BioMethod();

  std::string& outgoing_;
  std::string_view incoming_;
  bssl::UniquePtr<SSL_SESSION> ticket_;
  bssl::UniquePtr<SSL> ssl_;
};

}  // namespace postern::loadgen
