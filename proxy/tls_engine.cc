#include "proxy/tls_engine.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "filters/secret.h"

namespace postern {
namespace {

// Every way in which a handshake can fail, as the metrics name it.
TlsFailure Classify(uint32_t error) {
  // Below TLS it is what the peer sent that does not decrypt, or is no point of a curve.
  if (ERR_GET_LIB(error) == ERR_LIB_CIPHER || ERR_GET_LIB(error) == ERR_LIB_EC) {
    return TlsFailure::kBadRecord;
  }
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return TlsFailure::kOther;
  const int reason = ERR_GET_REASON(error);
  if (reason >= SSL_AD_REASON_OFFSET) return TlsFailure::kClientAlert;
  switch (reason) {
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUP:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_CIPHERS_AVAILABLE:
    case SSL_R_INAPPROPRIATE_FALLBACK:
    case SSL_R_UNKNOWN_PROTOCOL:
      return TlsFailure::kNoShared;
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return TlsFailure::kNoAlpn;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_BAD_SIGNATURE:
    case SSL_R_CANNOT_PARSE_LEAF_CERT:
      return TlsFailure::kCertificate;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
    case SSL_R_UNEXPECTED_RECORD:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_DECODE_ERROR:
    case SSL_R_ENCRYPTED_LENGTH_TOO_LONG:
    case SSL_R_DATA_LENGTH_TOO_LONG:
    case SSL_R_EXCESSIVE_MESSAGE_SIZE:
    case SSL_R_BAD_ALERT:
    case SSL_R_TOO_MANY_EMPTY_FRAGMENTS:
    case SSL_R_INVALID_OUTER_RECORD_TYPE:
    case SSL_R_CLIENTHELLO_PARSE_FAILED:
    case SSL_R_PARSE_TLSEXT:
    case SSL_R_ERROR_PARSING_EXTENSION:
    case SSL_R_BAD_PACKET_LENGTH:
    case SSL_R_BAD_CHANGE_CIPHER_SPEC:
    case SSL_R_BAD_ECPOINT:
    case SSL_R_DIGEST_CHECK_FAILED:
    case SSL_R_DUPLICATE_EXTENSION:
    case SSL_R_DUPLICATE_KEY_SHARE:
    case SSL_R_EXCESS_HANDSHAKE_DATA:
    case SSL_R_MISSING_KEY_SHARE:
    case SSL_R_WRONG_CURVE:
      return TlsFailure::kBadRecord;
    default:
      return TlsFailure::kOther;
  }
}

std::string SubjectOf(const SSL* ssl) {
  bssl::UniquePtr<X509> peer(SSL_get_peer_certificate(ssl));
  if (!peer) return {};
  bssl::UniquePtr<BIO> text(BIO_new(BIO_s_mem()));
  if (!text ||
      X509_NAME_print_ex(text.get(), X509_get_subject_name(peer.get()), 0, XN_FLAG_RFC2253) < 0) {
    return {};
  }
  const uint8_t* data = nullptr;
  size_t size = 0;
  if (!BIO_mem_contents(text.get(), &data, &size)) return {};
  return std::string(reinterpret_cast<const char*>(data), size);
}

}  // namespace

TlsBio::TlsBio() : method_(BIO_meth_new(BIO_TYPE_MEM, "postern")) {
  BIO_meth_set_read(method_.get(), &TlsBio::Read);
  BIO_meth_set_write(method_.get(), &TlsBio::Write);
  BIO_meth_set_ctrl(method_.get(), &TlsBio::Control);
  bio_.reset(BIO_new(method_.get()));
  BIO_set_data(bio_.get(), this);
  BIO_set_init(bio_.get(), 1);
}

int TlsBio::Read(BIO* bio, char* out, int size) {
  auto* self = static_cast<TlsBio*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (self->input_.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t n = std::min(self->input_.size(), static_cast<size_t>(size));
  std::memcpy(out, self->input_.data(), n);
  self->input_.remove_prefix(n);
  const bool goes_on = out == self->record_.data() + self->record_.size();
  self->record_ =
      goes_on ? std::span(self->record_.data(), self->record_.size() + n) : std::span(out, n);
  return static_cast<int>(n);
}

void TlsBio::WipeRecord(std::string_view plaintext) {
  if (record_.empty()) return;
  // At the record's end stand 16 bytes of a tag, and in TLS 1.3 one with the type before them. That
  // way it is found also where the beginning came with an earlier read; by a search where there is
  // padding or another kind of cipher.
  char* const end = record_.data() + record_.size();
  for (const size_t behind : {size_t{16}, size_t{17}}) {
    char* const place = end - behind - plaintext.size();
    if (std::memcmp(place, plaintext.data(), plaintext.size()) == 0) {
      return Wipe(place, plaintext.size());
    }
  }
  void* const place = memmem(record_.data(), record_.size(), plaintext.data(), plaintext.size());
  if (place != nullptr) Wipe(place, plaintext.size());
}

int TlsBio::Write(BIO* bio, const char* in, int size) {
  auto* self = static_cast<TlsBio*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  // Room is made before every call (Scratch::kPiece); a handshake flight is far smaller. Running
  // out is a fault of ours.
  if (self->out_ == nullptr || self->out_->room() < static_cast<size_t>(size)) return -1;
  self->out_->Append(in, static_cast<size_t>(size));
  return size;
}

long TlsBio::Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

TlsEngine::TlsEngine(SSL_CTX* context, bool server_side, TlsBio& io)
    : io_(io), ssl_(SSL_new(context)) {
  SSL_set_shed_handshake_config(ssl_.get(), 1);
  SSL_set_msg_callback(ssl_.get(), &TlsEngine::OnRecord);
  SSL_set_msg_callback_arg(ssl_.get(), this);
  BIO_up_ref(io.bio());
  SSL_set_bio(ssl_.get(), io.bio(), io.bio());
  if (server_side) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
  }
}

bool TlsEngine::SetServerName(const std::string& name, bool verify) {
  std::array<uint8_t, 16> binary;
  const bool ip = inet_pton(AF_INET, name.c_str(), binary.data()) == 1 ||
                  inet_pton(AF_INET6, name.c_str(), binary.data()) == 1;
  if (!ip && !name.empty() && !SSL_set_tlsext_host_name(ssl_.get(), name.c_str())) return false;
  if (!verify) return true;
  X509_VERIFY_PARAM* rules = SSL_get0_param(ssl_.get());
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return ip ? X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str()) == 1
            : X509_VERIFY_PARAM_set1_host(rules, name.data(), name.size()) == 1;
}

TlsResult TlsEngine::Handshake() {
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    up_ = true;
    SSL_set_msg_callback(ssl_.get(), nullptr);
    return TlsResult::kDone;
  }
  return Judge(result);
}

TlsResult TlsEngine::Read(char* out, size_t capacity, size_t& size) {
  const int result = SSL_read(ssl_.get(), out, static_cast<int>(capacity));
  if (result > 0) {
    size = static_cast<size_t>(result);
    return TlsResult::kDone;
  }
  return Judge(result);
}

// The library decrypts a record where it has read it, in a buffer that it frees unwiped once the
// last byte is taken out: so a look comes first, then the wiping, then the taking out of what is
// left.
TlsResult TlsEngine::ReadSecret(char* out, size_t capacity, size_t& size) {
  const int result = SSL_peek(ssl_.get(), out, static_cast<int>(capacity));
  if (result <= 0) return Judge(result);
  size = static_cast<size_t>(result);
  // Where `out` was too small for all of it, the rest is still to be read from there.
  if (SSL_pending(ssl_.get()) == result) io_.WipeRecord({out, size});
  std::array<char, 512> wiped;
  for (size_t left = size; left > 0;) {
    const int taken =
        SSL_read(ssl_.get(), wiped.data(), static_cast<int>(std::min(left, wiped.size())));
    if (taken <= 0) return Judge(taken);
    left -= static_cast<size_t>(taken);
  }
  return TlsResult::kDone;
}

bool TlsEngine::Write(std::string_view plaintext) {
  if (plaintext.empty()) return true;
  const int result = SSL_write(ssl_.get(), plaintext.data(), static_cast<int>(plaintext.size()));
  if (result > 0) return true;
  Judge(result);
  return false;
}

void TlsEngine::Shutdown() {
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

void TlsEngine::OnRecord(int is_write, int, int content_type, const void* bytes, size_t, SSL*,
                         void* engine) {
  if (is_write != 0 || content_type != SSL3_RT_HEADER) return;
  static_cast<TlsEngine*>(engine)->record_type_ = *static_cast<const uint8_t*>(bytes);
}

TlsResult TlsEngine::Judge(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return TlsResult::kWant;
    case SSL_ERROR_WANT_PRIVATE_KEY_OPERATION:
      return TlsResult::kWork;
    case SSL_ERROR_ZERO_RETURN:
      return TlsResult::kClosed;
    default:
      break;
  }
  const uint32_t error = ERR_peek_error();
  failure_ = Classify(error);
  const char* text = error != 0 ? ERR_reason_error_string(error) : nullptr;
  // OpenSSL's clients send the alert by which they refuse a certificate in the clear, also where
  // TLS 1.3 has switched to encryption already: too short for a record then.
  if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_BAD_PACKET_LENGTH &&
      record_type_ == SSL3_RT_ALERT) {
    failure_ = TlsFailure::kClientAlert;
    text = "ALERT_IN_THE_CLEAR";
  }
  failure_text_ = text != nullptr ? text : "connection ended";
  ERR_clear_error();
  return TlsResult::kError;
}

TlsVersion TlsEngine::version() const {
  switch (SSL_version(ssl_.get())) {
    case TLS1_VERSION:
      return TlsVersion::kTls10;
    case TLS1_1_VERSION:
      return TlsVersion::kTls11;
    case TLS1_2_VERSION:
      return TlsVersion::kTls12;
    default:
      return TlsVersion::kTls13;
  }
}

TlsInfo TlsEngine::Info() const {
  TlsInfo info;
  info.version = SSL_get_version(ssl_.get());
  if (const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_.get())) {
    info.cipher = SSL_CIPHER_standard_name(cipher);
    info.bits = SSL_CIPHER_get_bits(cipher, nullptr);
  }
  if (const char* sni = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name)) info.sni = sni;
  info.client_certificate = SubjectOf(ssl_.get());
  return info;
}

std::string TlsEngine::Group() const {
  const uint16_t id = SSL_get_curve_id(ssl_.get());
  const char* name = id != 0 ? SSL_get_curve_name(id) : nullptr;
  return name != nullptr ? name : "";
}

std::string TlsEngine::Alpn() const {
  const uint8_t* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return std::string(reinterpret_cast<const char*>(name), size);
}

}  // namespace postern
