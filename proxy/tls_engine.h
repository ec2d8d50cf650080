// TLS without a socket: ciphertext in, plaintext out, and the other way round. The BIO reads from
// and writes to whatever TlsIo points at during a call; one BIO object serves every engine of a
// worker. An engine belongs to a stream and lives on its worker's thread.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "filters/options.h"
#include "proxy/metrics.h"
#include "proxy/scratch.h"

namespace postern {

// The BIO that all engines of a worker share, and what it stands on during one call.
class TlsBio {
 public:
  TlsBio();
  TlsBio(const TlsBio&) = delete;
  TlsBio& operator=(const TlsBio&) = delete;

  BIO* bio() { return bio_.get(); }
  void Feed(std::string_view ciphertext) {
    input_ = ciphertext;
    record_ = {};
  }
  bool drained() const { return input_.empty(); }
  size_t left() const { return input_.size(); }
  void Direct(OutBuffer& out) { out_ = &out; }
  // Wipes `plaintext` where the library has decrypted it: in the place of the record that it has
  // read last. To be called while it has not been taken out of there.
  void WipeRecord(std::string_view plaintext);

 private:
  static int Read(BIO* bio, char* out, int size);
  static int Write(BIO* bio, const char* in, int size);
  static long Control(BIO* bio, int command, long number, void* pointer);

  std::string_view input_;
  OutBuffer* out_ = nullptr;
  std::span<char> record_;  // what the library has read last, as far as it lies in one piece
  bssl::UniquePtr<BIO_METHOD> method_;
  bssl::UniquePtr<BIO> bio_;
};

enum class TlsResult : uint8_t {
  kWant,  // all input is used up; more is needed
  kDone,  // the handshake is complete / bytes came out
  kWork,  // a private key operation is under way on another thread: call Handshake again when it is
          // done
  kClosed,  // close_notify
  kError,   // failure() says why; an alert may have been written
};

class TlsEngine {
 public:
  // `context` is kept alive by the SSL object itself.
  TlsEngine(SSL_CTX* context, bool server_side, TlsBio& io);

  // The host whose certificate is asked for; before the first Handshake of a client-side engine.
  // `verify`: hold the certificate against `name` (an IP address or a DNS name).
  bool SetServerName(const std::string& name, bool verify);

  // Each of these works on the bytes fed to the TlsBio and appends ciphertext to what it is
  // directed at.
  TlsResult Handshake();
  // One record's worth at most. `size` is set with kDone.
  TlsResult Read(char* out, size_t capacity, size_t& size);
  // The same, and nothing of it stays in the library's own buffer, which it does not wipe; for that
  // `capacity` has to be a record's.
  TlsResult ReadSecret(char* out, size_t capacity, size_t& size);
  bool Write(std::string_view plaintext);  // false: kError
  void Shutdown();                         // close_notify

  bool up() const { return up_; }
  bool resumed() const { return SSL_session_reused(ssl_.get()) != 0; }
  TlsVersion version() const;
  TlsInfo Info() const;
  std::string Group() const;
  std::string Alpn() const;
  TlsFailure failure() const { return failure_; }
  const char* failure_text() const { return failure_text_; }
  SSL* ssl() { return ssl_.get(); }

 private:
  // What the library tells of the handshake's records while it opens them.
  static void OnRecord(int is_write, int version, int content_type, const void* bytes, size_t size,
                       SSL* ssl, void* engine);
  TlsResult Judge(int result);

  TlsBio& io_;
  bssl::UniquePtr<SSL> ssl_;
  bool up_ = false;
  uint8_t record_type_ = 0;  // of the handshake's last record from the peer (RFC 8446, 5.1)
  TlsFailure failure_ = TlsFailure::kOther;
  const char* failure_text_ = "";
};

}  // namespace postern
