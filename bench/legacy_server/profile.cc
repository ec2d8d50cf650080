#include <array>

#include "bench/legacy_server/options.h"

namespace postern::legacy {
namespace {

constexpr std::array<Profile, 4> kProfiles = {{
    {
        .name = "generic",
        .imap_greeting = "* OK legacy IMAP4rev1 server ready",
        .imap_capabilities = "IMAP4rev1 IDLE NAMESPACE UIDPLUS",
        .pop3_greeting = "+OK legacy POP3 server ready",
        .pop3_capabilities = "TOP UIDL RESP-CODES PIPELINING",
        .smtp_greeting = "220 legacy.example ESMTP ready",
        .smtp_keywords = "PIPELINING;SIZE 536870912;8BITMIME;ENHANCEDSTATUSCODES;DSN;HELP",
        .mechanisms = "PLAIN LOGIN",
    },
    {
        .name = "exchange-5.5",
        .imap_greeting =
            "* OK Microsoft Exchange IMAP4rev1 server version 5.5.2653.23 (legacy.example) ready",
        .imap_capabilities =
            "IMAP4 IMAP4rev1 IDLE LOGIN-REFERRALS MAILBOX-REFERRALS NAMESPACE LITERAL+",
        .pop3_greeting =
            "+OK Microsoft Exchange POP3 server version 5.5.2653.23 (legacy.example) ready",
        .pop3_capabilities = "",
        .smtp_greeting =
            "220 legacy.example ESMTP Server (Microsoft Exchange Internet Mail Service "
            "5.5.2653.13) ready",
        .smtp_keywords = "XEXCH50;HELP;ETRN;DSN;SIZE 0",
        .mechanisms = "NTLM LOGIN",
        .old_auth_spelling = true,
    },
    {
        .name = "exchange-2003",
        .imap_greeting = "* OK Microsoft Exchange Server 2003 IMAP4rev1 server version 6.5.7638.1 "
                         "(legacy.example) ready.",
        .imap_capabilities = "IMAP4 IMAP4rev1 IDLE LOGIN-REFERRALS MAILBOX-REFERRALS NAMESPACE "
                             "LITERAL+ UIDPLUS CHILDREN",
        .pop3_greeting = "+OK Microsoft Exchange Server 2003 POP3 server version 6.5.7638.1 "
                         "(legacy.example) ready.",
        .pop3_capabilities = "TOP PIPELINING EXPIRE UIDL",
        .smtp_greeting = "220 legacy.example Microsoft ESMTP MAIL Service, Version: 6.0.3790.3959 "
                         "ready at  Thu, 1 Apr 2004 09:00:00 +0000",
        .smtp_keywords = "TURN;SIZE;ETRN;PIPELINING;DSN;ENHANCEDSTATUSCODES;8bitmime;BINARYMIME;"
                         "CHUNKING;VRFY;X-LINK2STATE;XEXCH50;OK",
        .mechanisms = "NTLM LOGIN",
        .old_auth_spelling = true,
        .exps = true,
    },
    {
        .name = "domino",
        .imap_greeting = "* OK Domino IMAP4 Server Release 6.5.4 ready Thu, 1 Apr 2004 09:00:00",
        .imap_capabilities = "IMAP4rev1 LITERAL+ NAMESPACE QUOTA UIDPLUS",
        .pop3_greeting = "+OK Lotus Notes POP3 server version X2.0 ready "
                         "<0001A5C2.256A9C78.00000003@legacy.example>",
        .pop3_capabilities = "TOP UIDL",
        .smtp_greeting = "220 legacy.example ESMTP Service (Lotus Domino Release 6.5.4) ready at "
                         "Thu, 1 Apr 2004 09:00:00 +0000",
        .smtp_keywords = "HELP;PIPELINING;DSN;SIZE 104857600",
        .mechanisms = "PLAIN LOGIN",
        .old_auth_spelling = true,
    },
}};

}  // namespace

const Profile* FindProfile(std::string_view name) {
  for (const Profile& profile : kProfiles) {
    if (profile.name == name) return &profile;
  }
  return nullptr;
}

std::string_view ProtocolName(Protocol protocol) {
  switch (protocol) {
    case Protocol::kImap:
      return "imap";
    case Protocol::kPop3:
      return "pop3";
    case Protocol::kSmtp:
      return "smtp";
    case Protocol::kLmtp:
      return "lmtp";
  }
  return "";
}

}  // namespace postern::legacy
