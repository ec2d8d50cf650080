#include "proxy/ticket_keys.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

#include "filters/secret.h"

namespace postern {
namespace {

constexpr size_t kOwnKeys = 3;

int ContextIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace

TicketKeys::~TicketKeys() { Wipe(keys_.data(), keys_.size() * sizeof(Key)); }

bool TicketKeys::Set(std::string_view bytes) {
  const size_t count = bytes.size() / kKeySize;
  if (count == 0 || count > kMaxKeys || bytes.size() % kKeySize != 0) return false;
  std::vector<Key> keys(count);
  for (size_t i = 0; i < count; ++i) {
    const char* from = bytes.data() + i * kKeySize;
    std::memcpy(keys[i].name.data(), from, 16);
    std::memcpy(keys[i].aes.data(), from + 16, 16);
    std::memcpy(keys[i].hmac.data(), from + 32, 16);
  }
  const std::lock_guard lock(mutex_);
  keys_.swap(keys);
  Wipe(keys.data(), keys.size() * sizeof(Key));
  return true;
}

void TicketKeys::Turn() {
  Key key;
  RAND_bytes(reinterpret_cast<uint8_t*>(&key), sizeof key);
  const std::lock_guard lock(mutex_);
  keys_.insert(keys_.begin(), key);
  if (keys_.size() > kOwnKeys) {
    Wipe(&keys_.back(), sizeof(Key));
    keys_.pop_back();
  }
  Wipe(&key, sizeof key);
}

void TicketKeys::Attach(SSL_CTX* context) {
  SSL_CTX_set_ex_data(context, ContextIndex(), this);
  SSL_CTX_set_tlsext_ticket_key_cb(context, &TicketKeys::Callback);
}

int TicketKeys::Callback(SSL* ssl, uint8_t* name, uint8_t* iv, EVP_CIPHER_CTX* cipher,
                         HMAC_CTX* hmac, int encrypt) {
  auto* self = static_cast<TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ContextIndex()));
  return self->Use(name, iv, cipher, hmac, encrypt != 0);
}

// 1: go on; 2: go on and issue a new ticket; 0: a full handshake; -1: an error.
int TicketKeys::Use(uint8_t* name, uint8_t* iv, EVP_CIPHER_CTX* cipher, HMAC_CTX* hmac,
                    bool encrypt) {
  const std::lock_guard lock(mutex_);
  size_t index = 0;
  if (encrypt) {
    std::memcpy(name, keys_[0].name.data(), 16);
    RAND_bytes(iv, 16);
  } else {
    while (index < keys_.size() && std::memcmp(name, keys_[index].name.data(), 16) != 0) ++index;
    if (index == keys_.size()) return 0;
  }
  const Key& key = keys_[index];
  if (HMAC_Init_ex(hmac, key.hmac.data(), key.hmac.size(), EVP_sha256(), nullptr) != 1) return -1;
  const int ready =
      encrypt ? EVP_EncryptInit_ex(cipher, EVP_aes_128_cbc(), nullptr, key.aes.data(), iv)
              : EVP_DecryptInit_ex(cipher, EVP_aes_128_cbc(), nullptr, key.aes.data(), iv);
  if (ready != 1) return -1;
  return encrypt || index == 0 ? 1 : 2;
}

}  // namespace postern
