#include "bench/legacy_server/dialogue.h"

#include <algorithm>

#include "bench/legacy_server/imap.h"
#include "bench/legacy_server/pop3.h"
#include "bench/legacy_server/smtp.h"

namespace postern::legacy {
namespace {

bool Contains(const std::vector<std::string>& verbs, std::string_view verb) {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

}  // namespace

size_t Dialogue::Consume(std::string_view input, Output& out) {
  size_t used = 0;
  while (!finished_ && !dead_ && !out.full() && used < input.size()) {
    size_t step = Take(input.substr(used), out);
    if (step == 0) break;
    used += step;
    if (options_.slow_ms > 0 && !out.empty()) break;
  }
  return used;
}

Dialogue::Fate Dialogue::FateOf(std::string_view verb) {
  if (options_.hangup_after > 0 && ++commands_ >= options_.hangup_after) finished_ = true;
  if (Contains(options_.deadly, verb)) {
    dead_ = true;
    return Fate::kDropped;
  }
  return IsRefused(verb) ? Fate::kRefused : Fate::kNormal;
}

bool Dialogue::IsRefused(std::string_view verb) const { return Contains(options_.refused, verb); }

std::string_view Dialogue::TakeLine(std::string_view input) {
  size_t end = input.substr(0, kMaxLine).find('\n');
  if (end != std::string_view::npos) return input.substr(0, end + 1);
  if (input.size() >= kMaxLine) Finish();
  return {};
}

std::string_view WithoutEnd(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::unique_ptr<Dialogue> MakeDialogue(Protocol protocol, uint64_t number, const Options& options,
                                       Store& store) {
  switch (protocol) {
    case Protocol::kImap:
      return std::make_unique<ImapDialogue>(options, store);
    case Protocol::kPop3:
      return std::make_unique<Pop3Dialogue>(number, options, store);
    case Protocol::kSmtp:
    case Protocol::kLmtp:
      return std::make_unique<SmtpDialogue>(protocol == Protocol::kLmtp, options, store);
  }
  return nullptr;
}

}  // namespace postern::legacy
