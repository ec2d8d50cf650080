#include "bench/loadgen/tls_client.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/nid.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace postern::loadgen {

TlsContext::TlsContext(bool tls12) : context_(SSL_CTX_new(TLS_with_buffers_method())) {
  SSL_CTX* context = context_.get();
  uint16_t version = tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
  SSL_CTX_set_min_proto_version(context, version);
  SSL_CTX_set_max_proto_version(context, version);
  const int group = NID_X25519;
  SSL_CTX_set1_curves(context, &group, 1);
  SSL_CTX_set_custom_verify(context, SSL_VERIFY_PEER, [](SSL*, uint8_t*) { return ssl_verify_ok; });
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) {
    static_cast<TlsClient*>(SSL_get_app_data(ssl))->ticket_.reset(session);
    return 1;
  });
}

const BIO_METHOD* TlsClient::BioMethod() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "loadgen");
    BIO_meth_set_read(made, [](BIO* bio, char* buffer, int size) {
      BIO_clear_retry_flags(bio);
      std::string_view& incoming = static_cast<TlsClient*>(BIO_get_data(bio))->incoming_;
      if (incoming.empty()) {
        BIO_set_retry_read(bio);
        return -1;
      }
      size_t step = std::min(incoming.size(), static_cast<size_t>(size));
      std::memcpy(buffer, incoming.data(), step);
      incoming.remove_prefix(step);
      return static_cast<int>(step);
    });
    BIO_meth_set_write(made, [](BIO* bio, const char* bytes, int size) {
      static_cast<TlsClient*>(BIO_get_data(bio))->outgoing_.append(bytes, size);
      return size;
    });
    BIO_meth_set_ctrl(made, [](BIO*, int command, long, void*) -> long {
      return command == BIO_CTRL_FLUSH ? 1 : 0;
    });
    return made;
  }();
  return method;
}

TlsClient::TlsClient(const TlsContext& context, SSL_SESSION* resume, std::string& outgoing)
    : outgoing_(outgoing), ssl_(SSL_new(context.get())) {
  BIO* bio = BIO_new(BioMethod());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_connect_state(ssl_.get());
  if (resume != nullptr) SSL_set_session(ssl_.get(), resume);
}

TlsClient::~TlsClient() { ERR_clear_error(); }

TlsClient::Status TlsClient::Handshake() {
  int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return Status::kDone;
  int error = SSL_get_error(ssl_.get(), result);
  return error == SSL_ERROR_WANT_READ ? Status::kMore : Status::kFailed;
}

int TlsClient::Read(char* buffer, size_t size) {
  int result = SSL_read(ssl_.get(), buffer, static_cast<int>(size));
  if (result > 0) return result;
  return SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ ? 0 : -1;
}

bool TlsClient::Write(std::string_view plaintext) {
  return plaintext.empty() ||
         SSL_write(ssl_.get(), plaintext.data(), static_cast<int>(plaintext.size())) > 0;
}

void TlsClient::SendCloseNotify() { SSL_shutdown(ssl_.get()); }

}  // namespace postern::loadgen
