// What NTLMv2 computes (MS-NLMP, 3.3.2 and 3.4.5): pure functions, held against the vectors of
// section 4.2.4.
#pragma once

#include <string>
#include <string_view>

#include "filters/secret.h"

namespace postern::sasl::ntlm {

// NTOWFv2. All in UTF-16LE; the user's name is made upper case here, the domain is not.
Secret ResponseKey(std::string_view password, std::string_view user, std::string_view domain);

// `nonce` is the server's, 8 bytes.
struct V2 {
  Secret nt_response;
  Secret session_base_key;
};
// `time` is a FILETIME of 8 bytes, `client_nonce` has 8, `target_info` is ended.
V2 ComputeV2(const Secret& response_key, std::string_view nonce, std::string_view client_nonce,
             std::string_view time, std::string_view target_info);
Secret ComputeLmV2(const Secret& response_key, std::string_view nonce,
                   std::string_view client_nonce);

// RC4K of a key exchange.
std::string EncryptSessionKey(const Secret& key_exchange_key, const Secret& session_key);

// The message integrity code over the three messages.
std::string ComputeMic(const Secret& session_key, std::string_view negotiate,
                       std::string_view challenge, std::string_view authenticate);

}  // namespace postern::sasl::ntlm
