#include "bench/micro/tls_pair.h"

#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

namespace postern::bench {
namespace {

bssl::UniquePtr<EVP_PKEY> MakeKey(KeyKind kind) {
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  if (kind == KeyKind::kEcdsaP256) {
    bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
    EC_KEY_generate_key(ec.get());
    EVP_PKEY_set1_EC_KEY(key.get(), ec.get());
  } else {
    bssl::UniquePtr<RSA> rsa(RSA_new());
    bssl::UniquePtr<BIGNUM> exponent(BN_new());
    BN_set_word(exponent.get(), RSA_F4);
    RSA_generate_key_ex(rsa.get(), 2048, exponent.get(), nullptr);
    EVP_PKEY_set1_RSA(key.get(), rsa.get());
  }
  return key;
}

bssl::UniquePtr<X509> MakeCertificate(EVP_PKEY* key) {
  bssl::UniquePtr<X509> certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86400);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const uint8_t*>("mail.example"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_set_pubkey(certificate.get(), key);
  X509_sign(certificate.get(), key, EVP_sha256());
  return certificate;
}

void UseX25519(SSL_CTX* context) {
  const int group = NID_X25519;
  SSL_CTX_set1_curves(context, &group, 1);
}

// An OutBuffer's bytes, as the input of an engine that reads later.
void Move(OutBuffer& from, std::string& to, TlsBio& io) {
  to.assign(from.view());
  from.Clear();
  io.Feed(to);
}

}  // namespace

bssl::UniquePtr<SSL_CTX> MakeServerContext(KeyKind kind) {
  bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_method()));
  bssl::UniquePtr<EVP_PKEY> key = MakeKey(kind);
  SSL_CTX_use_PrivateKey(context.get(), key.get());
  SSL_CTX_use_certificate(context.get(), MakeCertificate(key.get()).get());
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  UseX25519(context.get());
  return context;
}

bssl::UniquePtr<SSL_CTX> MakeClientContext() {
  bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_method()));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  UseX25519(context.get());
  return context;
}

TlsPair::TlsPair(SSL_CTX* server, SSL_CTX* client) {
  server_io_.Direct(server_out_);
  client_io_.Direct(client_out_);
  server_ = std::make_unique<TlsEngine>(server, true, server_io_);
  client_ = std::make_unique<TlsEngine>(client, false, client_io_);
}

void TlsPair::ToServer() { Move(client_out_, to_server_, server_io_); }

void TlsPair::ToClient() { Move(server_out_, to_client_, client_io_); }

bool TlsPair::Shake() {
  for (int turn = 0; turn < 4; ++turn) {
    TlsResult client = client_->up() ? TlsResult::kDone : client_->Handshake();
    ToServer();
    TlsResult server = server_->up() ? TlsResult::kDone : server_->Handshake();
    ToClient();
    if (client == TlsResult::kDone && server == TlsResult::kDone) return true;
    if (client == TlsResult::kError || server == TlsResult::kError) return false;
  }
  return false;
}

}  // namespace postern::bench
