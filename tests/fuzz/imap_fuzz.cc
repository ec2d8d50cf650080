// The IMAP filter and its follower under any dialogue. An input is a transcript (tests/transcripts,
// which are the seeds), of which only what goes in is looked at. Checked is that the filter keeps
// the rules of filters/filter.h, that it does the same however the bytes are cut, and that what the
// policy forbids never comes out on the server's side.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "filters/imap/imap_filter.h"
#include "filters/text.h"
#include "tests/transcripts/player.h"

namespace postern {
namespace {

constexpr size_t kMaxEvents = 64;
constexpr size_t kMaxBytes = 2048;  // of one line
// More pieces than that cost too much: each one may show the filter all that came before.
constexpr size_t kMaxPieces = 4096;

struct Happening {
  enum class Kind : uint8_t { kClient, kServer, kTlsUp, kClientGone, kServerGone, kThrottle };
  Kind kind = Kind::kClient;
  std::string bytes;
};

struct Script {
  FilterOptions options;
  SessionInfo info;
  Channel channel = Channel::kClear;
  bool strict = true;  // nothing but inside TLS is allowed
  std::vector<Happening> events;
};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The escapes of tests/transcripts/README.md, as far as a mutated file still has them.
std::string Unescape(std::string_view text) {
  std::string out;
  bool ended = true;
  for (size_t i = 0; i < text.size() && out.size() < kMaxBytes; ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    const size_t close = text.find('}', i);
    if (c == 'r') out += '\r';
    if (c == 'n') out += '\n';
    if (c == '0') out += '\0';
    if (c == '\\' || c == ' ' || c == '}') out += c;
    if (c == 'c') ended = false;
    if (c == 'x' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0) {
      out += static_cast<char>(HexDigit(text[i + 1]) * 16 + (HexDigit(text[i + 2]) & 15));
      i += 2;
    }
    if (c == '{' && close != text.npos) {
      const size_t star = std::min(text.rfind('*', close), close);
      const std::string part = Unescape(std::string(text.substr(i + 1, star - i - 1)) + "\\c");
      const int times = std::atoi(std::string(text.substr(star, close - star)).c_str() + 1);
      for (int n = 0; n < std::min(times, 4096) && out.size() < kMaxBytes; ++n) out += part;
      i = close;
    }
    if (c == 'b' && text.substr(i, 4) == "b64{" && close != text.npos) {
      out += Base64Encode(Unescape(std::string(text.substr(i + 4, close - i - 4)) + "\\c"));
      i = close;
    }
  }
  return ended ? out + "\r\n" : out;
}

void ReadGiven(std::string_view line, Script& script) {
  const auto has = [line](std::string_view words) { return line.find(words) != line.npos; };
  FilterOptions& options = script.options;
  if (has("channel: starttls")) options.starttls = true;
  if (has("channel: tls")) script.channel = Channel::kTls;
  if (has("observe: true")) options.observe = true;
  if (has("always")) options.policy = Policy({{"NTLM", Rule::kAlways}}, Rule::kAlways);
  if (has("at_login: true")) options.connect_at_login = true;
  if (has("pipelining: false")) options.pipelining = false;
  if (has("forward_client: id")) options.forward_client = ForwardClient::kId;
  if (has("line_limit: 64")) options.line_limit = 64;
  if (has("line_limit: 1")) options.line_limit = 1024;
  if (has("max_auth_failures: 1")) options.max_auth_failures = 1;
  if (has("allow: [XFOO]")) options.allow = {"XFOO"};
  if (has("deny:")) options.deny = {"ID", "AUTHENTICATE"};
  if (has("users:")) options.users.push_back({std::regex("@.*$"), ""});
  constexpr std::array<std::pair<std::string_view, ToBackend>, 8> kWays = {
      {{"auto", ToBackend::kAuto},
       {"BASIC", ToBackend::kBasic},
       {"PLAIN", ToBackend::kPlain},
       {"LOGIN", ToBackend::kLogin},
       {"CRAM-MD5", ToBackend::kCramMd5},
       {"NTLM", ToBackend::kNtlm},
       {"SCRAM-SHA-1", ToBackend::kScramSha1},
       {"SCRAM-SHA-256", ToBackend::kScramSha256}}};
  for (const auto& [name, way] : kWays) {
    if (has("to_backend: " + std::string(name))) options.to_backend = way;
  }
  script.strict = script.strict && !has("always") && !has("observe");
}

Script ReadScript(std::string_view text) {
  Script script;
  script.options.hostname = "postern.example";
  script.info.client_address = "192.0.2.7";
  while (!text.empty() && script.events.size() < kMaxEvents) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    using Kind = Happening::Kind;
    if (line.starts_with("given")) ReadGiven(line, script);
    if (line.starts_with("C> ")) script.events.push_back({Kind::kClient, Unescape(line.substr(3))});
    if (line.starts_with("S> ")) script.events.push_back({Kind::kServer, Unescape(line.substr(3))});
    if (line == "tls up") script.events.push_back({Kind::kTlsUp, {}});
    if (line == "gone client") script.events.push_back({Kind::kClientGone, {}});
    if (line == "gone server") script.events.push_back({Kind::kServerGone, {}});
    if (line == "throttle on") script.events.push_back({Kind::kThrottle, {}});
  }
  return script;
}

struct Outcome {
  std::string to_client;
  std::string to_server;
  std::string notes;
  bool injected = false;
  bool tls_up = false;
};

Outcome Play(const Script& script, size_t piece) {
  const TlsInfo tls{"TLSv1.3", "TLS_AES_128_GCM_SHA256", 128, "", ""};
  testing::Player player(MakeImapFilter(script.options, script.info), Moment{}, true);
  player.ClientUp(script.channel, script.channel == Channel::kTls ? &tls : nullptr);
  Outcome outcome;
  for (size_t i = 0; i < script.events.size(); ++i) {
    const Happening& event = script.events[i];
    const Side side = event.kind == Happening::Kind::kClient ? Side::kClient : Side::kServer;
    switch (event.kind) {
      case Happening::Kind::kClient:
      case Happening::Kind::kServer:
        for (size_t at = 0; at < event.bytes.size(); at += piece) {
          if (side == Side::kClient && player.tls_wanted()) {
            outcome.injected = true;  // in one read these would have stood behind STARTTLS
            break;
          }
          if (side == Side::kServer && !player.server_up()) break;
          player.Bytes(side, std::string_view(event.bytes).substr(at, piece));
        }
        break;
      case Happening::Kind::kTlsUp:
        if (!player.tls_wanted()) break;
        outcome.tls_up = true;
        player.TlsUp(tls);
        break;
      case Happening::Kind::kClientGone:
        player.Gone(Side::kClient);
        break;
      case Happening::Kind::kServerGone:
        if (player.server_up()) player.Gone(Side::kServer);
        break;
      case Happening::Kind::kThrottle:
        player.set_throttled(true);
        break;
    }
  }
  if (!player.violation().empty()) {
    std::fprintf(stderr, "violation: %s\n", player.violation().c_str());
    std::abort();
  }
  outcome.to_client = player.sent(Side::kClient);
  outcome.to_server = player.sent(Side::kServer);
  for (const auto& note : player.notes()) {
    outcome.notes += static_cast<char>('a' + note.index());
    if (std::holds_alternative<StartTlsInjectionEvent>(note)) outcome.injected = true;
  }
  outcome.notes += player.closed() ? " closed" : player.at_rest() ? " at rest" : " busy";
  outcome.notes += player.user();
  return outcome;
}

void Complain(const char* what, const Outcome& a, const Outcome& b) {
  std::fprintf(stderr, "%s\n-- client\n%s\n--\n%s\n-- server\n%s\n--\n%s\n-- notes\n%s\n%s\n", what,
               a.to_client.c_str(), b.to_client.c_str(), a.to_server.c_str(), b.to_server.c_str(),
               a.notes.c_str(), b.notes.c_str());
  std::abort();
}

std::string_view SecondWord(std::string_view line) {
  TakeWord(line);
  return line.substr(0, line.find_first_of(" \r"));
}

bool ClientSays(const Script& script, std::string_view text) {
  return std::any_of(script.events.begin(), script.events.end(), [text](const Happening& event) {
    return event.kind == Happening::Kind::kClient && event.bytes.find(text) != text.npos;
  });
}

void CheckServer(const Script& script, const Outcome& outcome) {
  // In the clear of a starttls listener nothing is carried out.
  const bool clear = script.channel == Channel::kClear && !outcome.tls_up && script.strict &&
                     script.options.starttls;
  // Without literals and COMPRESS every line at the server is a command.
  const bool lines = !ClientSays(script, "{") && !ClientSays(script, "+") &&
                     !ClientSays(script, "OMPRESS") && !ClientSays(script, "ompress");
  std::string_view rest = outcome.to_server;
  for (size_t end = rest.find('\n'); end != rest.npos; end = rest.find('\n')) {
    const std::string_view line = rest.substr(0, end);
    const std::string_view verb = SecondWord(line);
    const bool leads_to_tls = EqualsIgnoreCase(verb, "CAPABILITY") ||
                              EqualsIgnoreCase(verb, "NOOP") || EqualsIgnoreCase(verb, "LOGOUT") ||
                              line.starts_with("postern ID");
    const bool never =
        EqualsIgnoreCase(verb, "UNAUTHENTICATE") || EqualsIgnoreCase(verb, "STARTTLS");
    if ((clear && !leads_to_tls) || (lines && never)) {
      Complain("a forbidden line has passed", outcome, outcome);
    }
    rest.remove_prefix(end + 1);
  }
}

}  // namespace
}  // namespace postern

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace postern;
  const Script script = ReadScript({reinterpret_cast<const char*>(data), size});
  const Outcome whole = Play(script, kMaxBytes * 2);
  CheckServer(script, whole);
  size_t total = 0;
  for (const Happening& event : script.events) total += event.bytes.size();
  for (const size_t piece : {1 + total / kMaxPieces, 5 + total / kMaxPieces}) {
    const Outcome pieces = Play(script, piece);
    // Whether bytes stand behind STARTTLS depends on what one read brings.
    if (whole.injected || pieces.injected) continue;
    if (whole.to_client != pieces.to_client || whole.to_server != pieces.to_server ||
        whole.notes != pieces.notes) {
      Complain("whole and in pieces differ", whole, pieces);
    }
  }
  return 0;
}
