#include "proxy/key_operation.h"

#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <cstring>
#include <string_view>
#include <utility>

namespace postern {
namespace {

// What hangs on an SSL object from the choice of its certificate to its end.
struct SlowKey {
  bssl::UniquePtr<EVP_PKEY> key;
  std::shared_ptr<KeyOperation> operation;
};

int SlowKeyIndex() {
  static const int index = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr, [](void*, void* slow_key, CRYPTO_EX_DATA*, int, long, void*) {
        std::unique_ptr<SlowKey>(static_cast<SlowKey*>(slow_key)).reset();
      });
  return index;
}

SlowKey* SlowKeyOf(const SSL* ssl) {
  return static_cast<SlowKey*>(SSL_get_ex_data(ssl, SlowKeyIndex()));
}

enum ssl_private_key_result_t Complete(SSL* ssl, uint8_t* out, size_t* out_size, size_t capacity) {
  SlowKey& slow = *SlowKeyOf(ssl);
  if (!slow.operation->done()) return ssl_private_key_retry;
  const std::shared_ptr<KeyOperation> operation = std::exchange(slow.operation, nullptr);
  const std::string& signature = operation->signature();
  if (signature.empty() || signature.size() > capacity) return ssl_private_key_failure;
  std::memcpy(out, signature.data(), signature.size());
  *out_size = signature.size();
  return ssl_private_key_success;
}

enum ssl_private_key_result_t Sign(SSL* ssl, uint8_t*, size_t*, size_t, uint16_t algorithm,
                                   const uint8_t* in, size_t in_size) {
  SlowKey& slow = *SlowKeyOf(ssl);
  slow.operation = std::make_shared<KeyOperation>(
      slow.key.get(), algorithm, std::string(reinterpret_cast<const char*>(in), in_size));
  return ssl_private_key_retry;
}

// RSA key exchange of TLS 1.2 and before, which hardly anybody speaks: at once.
enum ssl_private_key_result_t Decrypt(SSL* ssl, uint8_t* out, size_t* out_size, size_t capacity,
                                      const uint8_t* in, size_t in_size) {
  RSA* rsa = EVP_PKEY_get0_RSA(SlowKeyOf(ssl)->key.get());
  if (rsa == nullptr || !RSA_decrypt(rsa, out_size, out, capacity, in, in_size, RSA_NO_PADDING)) {
    return ssl_private_key_failure;
  }
  return ssl_private_key_success;
}

constexpr SSL_PRIVATE_KEY_METHOD kMethod = {Sign, Decrypt, Complete};

}  // namespace

KeyOperation::KeyOperation(EVP_PKEY* key, uint16_t algorithm, std::string input)
    : key_(bssl::UpRef(key)), algorithm_(algorithm), input_(std::move(input)) {}

void KeyOperation::Run() {
  bssl::ScopedEVP_MD_CTX context;
  EVP_PKEY_CTX* options = nullptr;
  const EVP_MD* digest = SSL_get_signature_algorithm_digest(algorithm_);
  const bool pss = SSL_is_signature_algorithm_rsa_pss(algorithm_) != 0;
  const auto* in = reinterpret_cast<const uint8_t*>(input_.data());
  constexpr int kSaltAsLongAsDigest = -1;  // RFC 8446, 4.2.3
  signature_.resize(static_cast<size_t>(EVP_PKEY_size(key_.get())));
  size_t size = signature_.size();
  const bool good =
      EVP_DigestSignInit(context.get(), &options, digest, nullptr, key_.get()) != 0 &&
      (!pss || (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 0 &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(options, kSaltAsLongAsDigest) != 0)) &&
      EVP_DigestSign(context.get(), reinterpret_cast<uint8_t*>(signature_.data()), &size, in,
                     input_.size()) != 0;
  signature_.resize(good ? size : 0);
  ERR_clear_error();
  done_ = true;
}

const SSL_PRIVATE_KEY_METHOD* UseSlowKey(SSL* ssl, EVP_PKEY* key) {
  auto slow = std::make_unique<SlowKey>();
  slow->key = bssl::UpRef(key);
  SlowKey* const before = SlowKeyOf(ssl);
  if (!SSL_set_ex_data(ssl, SlowKeyIndex(), slow.get())) return nullptr;
  slow.release();
  std::unique_ptr<SlowKey>(before).reset();
  return &kMethod;
}

std::shared_ptr<KeyOperation> PendingOperation(const SSL* ssl) {
  const SlowKey* slow = SlowKeyOf(ssl);
  return slow != nullptr ? slow->operation : nullptr;
}

}  // namespace postern
