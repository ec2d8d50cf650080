#include "filters/sasl/ntlm_response.h"

#include <openssl/digest.h>
#include <openssl/rc4.h>

#include "filters/sasl/digest.h"
#include "filters/sasl/unicode.h"

namespace postern::sasl::ntlm {

Secret ResponseKey(std::string_view password, std::string_view user, std::string_view domain) {
  std::string upper(user);
  MakeUpperUtf16(upper);
  return Hmac(EVP_md5(), Digest(EVP_md4(), {password}).Reveal(), {upper, domain});
}

V2 ComputeV2(const Secret& response_key, std::string_view nonce, std::string_view client_nonce,
             std::string_view time, std::string_view target_info) {
  using namespace std::string_view_literals;
  std::string temp("\x01\x01\0\0\0\0\0\0"sv);  // both versions, then reserved (2.2.2.7)
  temp.append(time).append(client_nonce).append(4, '\0').append(target_info).append(4, '\0');

  const std::string_view key = response_key.Reveal();
  const Secret proof = Hmac(EVP_md5(), key, {nonce, temp});
  return V2{Join({proof.Reveal(), temp}), Hmac(EVP_md5(), key, {proof.Reveal()})};
}

Secret ComputeLmV2(const Secret& response_key, std::string_view nonce,
                   std::string_view client_nonce) {
  const Secret mac = Hmac(EVP_md5(), response_key.Reveal(), {nonce, client_nonce});
  return Join({mac.Reveal(), client_nonce});
}

std::string EncryptSessionKey(const Secret& key_exchange_key, const Secret& session_key) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<const uint8_t*>(text.data());
  };
  RC4_KEY rc4;
  RC4_set_key(&rc4, static_cast<unsigned>(key_exchange_key.size()),
              bytes(key_exchange_key.Reveal()));
  std::string encrypted(session_key.size(), '\0');
  RC4(&rc4, session_key.size(), bytes(session_key.Reveal()),
      reinterpret_cast<uint8_t*>(encrypted.data()));
  Wipe(&rc4, sizeof(rc4));
  return encrypted;
}

std::string ComputeMic(const Secret& session_key, std::string_view negotiate,
                       std::string_view challenge, std::string_view authenticate) {
  return std::string(
      Hmac(EVP_md5(), session_key.Reveal(), {negotiate, challenge, authenticate}).Reveal());
}

}  // namespace postern::sasl::ntlm
