// What the three protocols share when Postern takes a basic log-in itself: judging the credentials,
// rewriting the user's name, choosing the mechanism towards the backend.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/mechanism.h"
#include "filters/options.h"
#include "filters/secret.h"

namespace postern {

struct Login {
  std::string user;  // as the client gave it
  Secret password;
};

// Longest user name and password taken (bytes): longer ones are refused as credentials.
inline constexpr size_t kMaxUser = 1024;
inline constexpr size_t kMaxPassword = 4096;

// True where `text` may go on: any UTF-8 and any 8-bit byte, but no NUL, CR, LF or other control
// character (C0, DEL).
bool IsCleanCredential(std::string_view text);

// Decoded SASL PLAIN (RFC 4616). nullopt where it is malformed, unclean, overlong, has an empty
// user, or an authorization identity that is neither empty nor the user's own name.
std::optional<Login> ParsePlain(std::string_view message);
// Decoded or plain user and password of any other basic form, by the same rules.
std::optional<Login> CheckLogin(std::string_view user, std::string_view password);

// The user's name for the backend: the first rule of options.users that matches, then the profile's
// spelling (DOMAIN\user, DOMAIN/user where a domain is configured and the name has none yet).
// nullopt where the result is empty, unclean or over kMaxUser.
std::optional<std::string> RewriteUser(const FilterOptions& options, std::string_view user);

// auth.to_backend against what the backend shows. `shown`: mechanism names in any case, as its
// capability answer lists them; `stamp`: its POP3 greeting has one; `basic`: the protocol's own
// basic way is there (IMAP without LOGINDISABLED, POP3 USER, smtp AUTH PLAIN or LOGIN). nullopt
// where the backend does not have what is asked for: never something weaker. kSame gives the
// mechanism `from` that the client used (kBasic for LOGIN, USER/PASS).
std::optional<Mechanism> ChooseMechanism(const FilterOptions& options, Mechanism from,
                                         const std::vector<std::string>& shown, bool stamp,
                                         bool basic);

// A fresh seed for the n-th log-in of a session.
std::array<uint8_t, 32> LoginSeed(const SessionInfo& info, uint32_t n);

}  // namespace postern
