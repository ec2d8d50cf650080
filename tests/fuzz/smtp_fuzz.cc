// The SMTP and LMTP filter under any dialogue: it keeps the rules of filters/filter.h, however the
// bytes are cut it does the same, and where no message was agreed to, only commands that Postern
// knows reach the server.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "filters/smtp/smtp_filter.h"
#include "filters/text.h"
#include "tests/transcripts/player.h"

namespace postern {
namespace {

struct Event {
  enum class Kind : uint8_t { kClient, kServer, kTlsUp, kServerGone, kClientGone, kThrottle };
  Kind kind = Kind::kClient;
  std::string bytes;
};

struct Script {
  FilterOptions options;
  SessionInfo info;
  Channel channel = Channel::kClear;
  std::vector<Event> events;
};

constexpr std::array kWords = {
    "220 mail.example\r\n",
    "250 ok\r\n",
    "250-mail.example\r\n250-AUTH PLAIN LOGIN CRAM-MD5 NTLM SCRAM-SHA-256\r\n250 CHUNKING\r\n",
    "250-mail.example\r\n250 XCLIENT ADDR HELO\r\n",
    "250-",
    "354 go\r\n",
    "334 YWJj\r\n",
    "235 yes\r\n",
    "535 no\r\n",
    "500 what\r\n",
    "421 bye\r\n",
    "EHLO x\r\n",
    "HELO x\r\n",
    "LHLO x\r\n",
    "MAIL FROM:<>\r\n",
    "RCPT TO:<a>\r\n",
    "DATA\r\n",
    "BDAT 5 LAST\r\n",
    "BDAT ",
    "RSET\r\n",
    "NOOP\r\n",
    "STARTTLS\r\n",
    "AUTH PLAIN AGEAYg==\r\n",
    "AUTH LOGIN YQ==\r\n",
    "AUTH CRAM-MD5\r\n",
    "AUTH ",
    "YWJj\r\n",
    "*\r\n",
    "QUIT\r\n",
    "\r\n.\r\n",
    ".",
    "\r",
    "\n",
};

std::string TakeBytes(FuzzedDataProvider& data) {
  std::string bytes;
  for (int words = data.ConsumeIntegralInRange(1, 6); words > 0; --words) {
    if (data.ConsumeBool()) {
      bytes += kWords[data.ConsumeIntegralInRange<size_t>(0, kWords.size() - 1)];
    } else {
      bytes += data.ConsumeRandomLengthString(64);
    }
  }
  return bytes;
}

Script TakeScript(FuzzedDataProvider& data) {
  Script script;
  FilterOptions& options = script.options;
  options.protocol = data.ConsumeBool() ? Protocol::kSmtp : Protocol::kLmtp;
  options.hostname = "postern.example";
  options.policy = Policy({{"PLAIN", Rule::kTls}, {"LOGIN", Rule::kAlways}}, Rule::kAlways);
  options.observe = data.ConsumeBool();
  options.to_backend = data.PickValueInArray({ToBackend::kSame, ToBackend::kSame, ToBackend::kAuto,
                                              ToBackend::kLogin, ToBackend::kCramMd5,
                                              ToBackend::kNtlm, ToBackend::kScramSha256});
  options.starttls = data.ConsumeBool();
  options.require_tls = data.ConsumeBool();
  options.require_auth = data.ConsumeBool();
  options.connect_at_login = options.require_auth && data.ConsumeBool();
  options.reject_bare_lf = data.ConsumeBool();
  options.pipelining = data.ConsumeBool();
  options.line_limit = data.ConsumeBool() ? 40 : 16384;
  options.deny = {"VRFY", "EXPN"};
  options.forward_client =
      data.PickValueInArray({ForwardClient::kNone, ForwardClient::kNone, ForwardClient::kXclient,
                             ForwardClient::kReceived});
  script.channel = options.starttls || data.ConsumeBool() ? Channel::kClear : Channel::kTls;
  script.info.client_address = "192.0.2.7";
  while (data.remaining_bytes() > 0 && script.events.size() < 64) {
    Event event;
    event.kind =
        data.PickValueInArray({Event::Kind::kClient, Event::Kind::kServer, Event::Kind::kClient,
                               Event::Kind::kServer, Event::Kind::kTlsUp, Event::Kind::kServerGone,
                               Event::Kind::kClientGone, Event::Kind::kThrottle});
    if (event.kind <= Event::Kind::kServer) event.bytes = TakeBytes(data);
    script.events.push_back(std::move(event));
  }
  return script;
}

struct Outcome {
  std::string to_client;
  std::string to_server;
  std::string state;
  bool injected = false;
};

// `piece`: how many bytes arrive at a time.
Outcome Play(const Script& script, size_t piece) {
  const TlsInfo tls{"TLSv1.3", "TLS_AES_128_GCM_SHA256", 128, "", ""};
  testing::Player player(MakeSmtpFilter(script.options, script.info), Moment{}, true);
  player.ClientUp(script.channel, script.channel == Channel::kTls ? &tls : nullptr);
  for (const Event& event : script.events) {
    const Side side = event.kind == Event::Kind::kClient ? Side::kClient : Side::kServer;
    switch (event.kind) {
      case Event::Kind::kClient:
      case Event::Kind::kServer:
        for (size_t at = 0; at < event.bytes.size(); at += piece) {
          if (side == Side::kClient && player.tls_wanted()) break;
          if (side == Side::kServer && !player.server_up()) break;
          player.Bytes(side, std::string_view(event.bytes).substr(at, piece));
        }
        break;
      case Event::Kind::kTlsUp:
        if (player.tls_wanted()) player.TlsUp(tls);
        break;
      case Event::Kind::kServerGone:
        if (player.server_up()) player.Gone(Side::kServer);
        break;
      case Event::Kind::kClientGone:
        player.Gone(Side::kClient);
        break;
      case Event::Kind::kThrottle:
        player.set_throttled(true);
        break;
    }
  }
  Outcome outcome{player.sent(Side::kClient), player.sent(Side::kServer), player.violation(),
                  false};
  if (!player.violation().empty()) {
    std::fprintf(stderr, "violation: %s\n", player.violation().c_str());
    std::abort();
  }
  if (player.closed()) outcome.state += "closed";
  outcome.state += player.user();
  outcome.state += std::to_string(player.notes().size());
  outcome.injected = std::any_of(
      player.notes().begin(), player.notes().end(),
      [](const auto& note) { return std::holds_alternative<StartTlsInjectionEvent>(note); });
  return outcome;
}

bool MayBeSaid(std::string_view line) {
  static constexpr std::array kVerbs = {"EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA",   "RSET",
                                        "NOOP", "QUIT", "HELP", "ETRN", "AUTH", "XCLIENT"};
  // Responses of a log-in.
  if (line == "*" || Base64Decode(line)) return true;
  const std::string_view word = TakeWord(line);
  return std::any_of(kVerbs.begin(), kVerbs.end(),
                     [word](const char* verb) { return EqualsIgnoreCase(verb, word); });
}

// Where no byte of a message may have passed, every line at the server is a command of the table.
void CheckCommands(const Script& script, const std::string& to_server) {
  std::string server;
  for (const Event& event : script.events) {
    if (event.kind == Event::Kind::kServer) server += event.bytes;
  }
  if (server.find("354") != std::string::npos) return;
  if (ToUpper(server).find("CHUNKING") != std::string::npos) return;
  std::string_view rest = to_server;
  for (size_t end = rest.find("\r\n"); end != std::string_view::npos; end = rest.find("\r\n")) {
    if (!MayBeSaid(rest.substr(0, end))) {
      std::fprintf(stderr, "at the server: %.*s\n", static_cast<int>(end), rest.data());
      std::abort();
    }
    rest.remove_prefix(end + 2);
  }
}

}  // namespace
}  // namespace postern

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace postern;
  FuzzedDataProvider data(bytes, size);
  const Script script = TakeScript(data);
  const Outcome whole = Play(script, std::string::npos >> 1);
  CheckCommands(script, whole.to_server);
  for (const size_t piece : {size_t{1}, size_t{7}}) {
    const Outcome pieces = Play(script, piece);
    // Whether bytes stand behind STARTTLS depends on what one read brings.
    if (whole.injected || pieces.injected) continue;
    if (whole.to_client != pieces.to_client || whole.to_server != pieces.to_server ||
        whole.state != pieces.state) {
      std::fprintf(stderr, "whole and in pieces of %zu it differs\n", piece);
      for (const Outcome* outcome : {&whole, &pieces}) {
        std::fprintf(stderr, "-- client\n%s\n-- server\n%s\n-- %s\n", outcome->to_client.c_str(),
                     outcome->to_server.c_str(), outcome->state.c_str());
      }
      std::abort();
    }
  }
  return 0;
}
