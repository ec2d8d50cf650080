#include "filters/smtp/smtp_trace.h"

#include <gtest/gtest.h>

namespace postern::smtp {
namespace {

using std::chrono::seconds;
using std::chrono::system_clock;

struct SmtpTrace : ::testing::Test {
  SmtpTrace() {
    options.protocol = Protocol::kSmtp;
    options.hostname = "mx.example";
    info.id = "id7";
    info.client_address = "192.0.2.7";
    info.client_port = 4000;
    trace.helo = "client.example";
    trace.extended = true;
  }
  std::string Header(int64_t now = 951782400) {
    return ReceivedHeader(options, info, trace, system_clock::time_point(seconds(now)), 'S');
  }

  FilterOptions options;
  SessionInfo info;
  Trace trace;
};

TEST_F(SmtpTrace, WritesTheHeader) {
  EXPECT_EQ(Header(),
            "Received: from client.example ([192.0.2.7])\r\n"
            "\tby mx.example (Postern) with ESMTP id id7;\r\n"
            "\tTue, 29 Feb 2000 00:00:00 +0000\r\n");
}

TEST_F(SmtpTrace, NamesTheWayOfTransmission) {
  trace.tls = true;
  trace.tls_version = "TLSv1.2";
  trace.tls_cipher = "X";
  EXPECT_NE(Header().find("(using TLSv1.2 with cipher X)"), std::string::npos);
  EXPECT_NE(Header().find(" with ESMTPS id"), std::string::npos);
  trace.logged_in = true;
  EXPECT_NE(Header().find(" with ESMTPSA id"), std::string::npos);
  trace.tls = false;
  EXPECT_NE(Header().find(" with ESMTPA id"), std::string::npos);
  options.protocol = Protocol::kLmtp;
  EXPECT_NE(Header().find(" with LMTPA id"), std::string::npos);
  trace.extended = false;
  EXPECT_NE(Header().find(" with SMTP id"), std::string::npos);
}

TEST_F(SmtpTrace, NamesAClientThatSaysNothing) {
  trace.helo = "";
  info.client_address = "";
  EXPECT_EQ(Header().substr(0, Header().find("\r\n")), "Received: from unknown (local)");
}

TEST_F(SmtpTrace, CutsAndCleansTheClientsName) {
  const std::string helo = std::string(300, 'x') + "\r\nX-Evil: 1";
  trace.helo = helo;
  EXPECT_EQ(Header().substr(0, Header().find(" (")), "Received: from " + std::string(255, 'x'));
}

TEST_F(SmtpTrace, SaysWhatTheServerKnows) {
  info.local_address = "2001:db8::1";
  info.local_port = 25;
  const std::vector<std::string> commands =
      XclientCommands(info, trace, {"NAME", "ADDR", "PORT", "LOGIN", "DESTADDR", "FOO"});
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_EQ(commands[0],
            "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 PORT=4000 DESTADDR=IPV6:2001:db8::1\r\n");
}

TEST_F(SmtpTrace, SaysNothingToAServerThatKnowsNothing) {
  EXPECT_TRUE(XclientCommands(info, trace, {"FOO", "LOGIN"}).empty());
}

TEST_F(SmtpTrace, KeepsEachCommandShort) {
  const std::string helo(250, 'x');
  trace.helo = helo;
  const std::vector<std::string> commands =
      XclientCommands(info, trace, {"HELO", "HELO", "HELO", "ADDR"});
  EXPECT_EQ(commands.size(), 3u);
  for (const std::string& command : commands) EXPECT_LE(command.size(), 512u);
}

TEST_F(SmtpTrace, CodesWhatIsNoPrintableAscii) {
  trace.helo = "a b+c=d\xff";
  EXPECT_EQ(XclientCommands(info, trace, {"HELO"})[0], "XCLIENT HELO=a+20b+2Bc+3Dd+FF\r\n");
  const std::string helo(300, 'x');
  trace.helo = helo;
  EXPECT_EQ(XclientCommands(info, trace, {"HELO"})[0], "XCLIENT HELO=[UNAVAILABLE]\r\n");
}

}  // namespace
}  // namespace postern::smtp
