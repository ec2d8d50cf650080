// The SMTP and LMTP filter under any dialogue: see filter_harness.h. Besides, where the server has
// agreed to take no message, only commands that Postern knows may reach it.
// links: postern_dialogues
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "filters/smtp/smtp_filter.h"
#include "filters/text.h"
#include "tests/fuzz/filter_harness.h"

namespace {

using namespace postern;

template <typename Function>
bool AnyLine(std::string_view text, Function is) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size() - 1);
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (is(line)) return true;
    text.remove_prefix(end + 1);
  }
  return false;
}

// A message may hold anything, a log-in's line too.
bool TakesMessages(std::string_view server) {
  return server.find("354") != std::string_view::npos ||
         ToUpper(server).find("CHUNKING") != std::string::npos;
}

bool MayBeSaid(std::string_view line, const FilterOptions& options) {
  constexpr std::array<std::string_view, 16> kVerbs = {
      "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET",
      "NOOP", "QUIT", "HELP", "ETRN", "AUTH", "VRFY", "EXPN", "XCLIENT"};
  // The responses of a log-in.
  if (line == "*" || Base64Decode(line)) return true;
  const std::string_view word = TakeWord(line);
  const auto is_word = [word](std::string_view known) { return EqualsIgnoreCase(known, word); };
  return std::any_of(kVerbs.begin(), kVerbs.end(), is_word) ||
         std::any_of(options.allow.begin(), options.allow.end(), is_word);
}

// Plays the dialogue once more, line by line, and looks at what the server got.
void CheckCommands(std::string_view input, Protocol protocol) {
  const testing::Transcript transcript = testing::ParseTranscript(input, protocol, true);
  const FilterOptions& options = transcript.given.options;
  testing::Player player(MakeSmtpFilter(options, transcript.given.info), transcript.given.moment,
                         true);
  player.ClientUp(transcript.given.channel,
                  transcript.given.channel == Channel::kTls ? &transcript.given.tls : nullptr);
  std::string server;
  for (const testing::Step& step : transcript.steps) {
    if (step.verb == testing::Verb::kTlsUp && player.tls_wanted()) {
      player.TlsUp(transcript.given.tls);
    }
    if (step.verb != testing::Verb::kInput) continue;
    if (step.side == Side::kServer && !player.server_up()) continue;
    if (step.side == Side::kClient && player.tls_wanted()) continue;
    if (step.side == Side::kServer) server += step.bytes;
    player.Bytes(step.side, step.bytes);
  }
  if (TakesMessages(server)) return;
  const std::string& got = player.sent(Side::kServer);
  if (AnyLine(got, [&](std::string_view line) { return !MayBeSaid(line, options); })) {
    std::fprintf(stderr, "at the server:\n%s\n", got.c_str());
    std::abort();
  }
}

// Only where no message may have been sent; see above.
bool FindsLogIn(std::string_view to_server) {
  const bool messages = AnyLine(to_server, [](std::string_view line) {
    return EqualsIgnoreCase(line.substr(0, 4), "DATA") ||
           EqualsIgnoreCase(line.substr(0, 4), "BDAT");
  });
  return !messages && AnyLine(to_server, [](std::string_view line) {
    return StartsWithIgnoreCase(line, "AUTH ");
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const testing::FilterHarness smtp(Protocol::kSmtp, MakeSmtpFilter, FindsLogIn);
  static const testing::FilterHarness lmtp(Protocol::kLmtp, MakeSmtpFilter, FindsLogIn);
  constexpr size_t kMaxInput = 4 * 1024;
  if (size > kMaxInput) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const bool is_lmtp = input.find("LHLO") != std::string_view::npos;
  (is_lmtp ? lmtp : smtp).Run(input);
  // The harness leaves out what would take long; so does this.
  if (input.find('{') == std::string_view::npos) {
    CheckCommands(input, is_lmtp ? Protocol::kLmtp : Protocol::kSmtp);
  }
  return 0;
}
