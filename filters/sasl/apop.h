// APOP (RFC 1939, section 7): lower-case hex of MD5(stamp, password).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "filters/secret.h"

namespace postern::sasl {

// The stamp `<…@…>` of a POP3 greeting line, angle brackets included; nullopt where there is none
// or it is not RFC 5322 ASCII (a stamp with other bytes may be an attack on MD5).
std::optional<std::string_view> FindStamp(std::string_view greeting);
std::string ApopDigest(std::string_view stamp, const Secret& password);

}  // namespace postern::sasl
