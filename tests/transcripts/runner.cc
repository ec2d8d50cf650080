#include "tests/transcripts/runner.h"

#include <algorithm>
#include <random>
#include <sstream>
#include <utility>

#include "tests/transcripts/player.h"

namespace postern::testing {
namespace {

constexpr int kRandomRuns = 8;

// How the chunks of one run are cut.
struct Cutting {
  std::string name;
  size_t longest = 0;  // 0: not at all
  uint32_t seed = 0;
};

std::string Join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// True where `expected` is `actual` or its beginning, at the end of a word.
bool BeginsWithWords(const std::string& actual, const std::string& expected) {
  return actual.starts_with(expected) &&
         (actual.size() == expected.size() || actual[expected.size()] == ' ');
}

std::string_view Word(Cause cause) {
  switch (cause) {
    case Cause::kLogout:
      return "logout";
    case Cause::kProtocolError:
      return "protocol_error";
    case Cause::kInjection:
      return "injection";
    case Cause::kTooManyFailures:
      return "too_many_failures";
    case Cause::kPolicy:
      return "policy";
    case Cause::kServerRefused:
      return "server_refused";
    case Cause::kServerFault:
      return "server_fault";
    case Cause::kServerGone:
      return "server_gone";
    case Cause::kNoServer:
      return "no_server";
  }
  return "?";
}

std::string_view Word(Phase phase) {
  switch (phase) {
    case Phase::kGreeting:
      return "greeting";
    case Phase::kBeforeLogin:
      return "before_login";
    case Phase::kAuthenticating:
      return "authenticating";
    case Phase::kLoggedIn:
      return "logged_in";
  }
  return "?";
}

class Run {
 public:
  Run(const Transcript& transcript, const FilterMaker& make, const Cutting& cutting)
      : transcript_(transcript),
        cutting_(cutting),
        random_(cutting.seed),
        player_(make(transcript.given.options, transcript.given.info), transcript.given.moment,
                !transcript.connects) {}

  std::string Play() {
    const Given& given = transcript_.given;
    player_.ClientUp(given.channel, given.channel == Channel::kTls ? &given.tls : nullptr);
    const std::vector<Step>& steps = transcript_.steps;
    for (size_t i = 0; i < steps.size() && report_.empty(); ++i) {
      line_ = steps[i].line;
      if (IsEvent(steps[i].verb)) Compare();
      if (!report_.empty()) break;
      if (steps[i].verb == Verb::kInput) {
        i = PlayRun(i);
      } else {
        PlayStep(steps[i]);
      }
      if (!player_.violation().empty()) Fail(player_.violation());
    }
    if (report_.empty()) Compare(true);
    return report_;
  }

 private:
  // What is said or happens to the session: what came before must have been as written.
  static bool IsEvent(Verb verb) {
    return verb == Verb::kInput || verb == Verb::kTlsUp || verb == Verb::kServerUp ||
           verb == Verb::kGone || verb == Verb::kThrottle || verb == Verb::kTurn;
  }

  // All input lines from one side that follow each other. Returns the last one's index.
  size_t PlayRun(size_t first) {
    const std::vector<Step>& steps = transcript_.steps;
    std::string bytes;
    size_t last = first;
    for (size_t i = first; i < steps.size(); ++i) {
      if (steps[i].verb != Verb::kInput || steps[i].side != steps[first].side) break;
      bytes += steps[i].bytes;
      last = i;
    }
    if (player_.closed()) Fail("the session has ended: nothing more can be said");
    std::string_view rest = bytes;
    while (!rest.empty() && report_.empty() && !player_.closed()) {
      const size_t size = Piece(rest.size());
      player_.Bytes(steps[first].side, rest.substr(0, size));
      rest.remove_prefix(size);
    }
    return last;
  }

  size_t Piece(size_t left) {
    if (cutting_.longest == 0) return left;
    if (cutting_.longest == 1) return 1;
    return std::min<size_t>(left, 1 + random_() % cutting_.longest);
  }

  void PlayStep(const Step& step) {
    switch (step.verb) {
      case Verb::kInput:
      case Verb::kTurn:
        return;
      case Verb::kOutput:
        return lines_[Index(step.side)].push_back(&step);
      case Verb::kTlsUp:
        return player_.TlsUp(transcript_.given.tls);
      case Verb::kConnect:
        if (!player_.connect_wanted()) Fail("no connection to the backend was asked for");
        connect_seen_ = true;
        return;
      case Verb::kServerUp:
        connect_seen_ = false;
        return player_.ServerUp();
      case Verb::kGone:
        connect_seen_ = false;
        return player_.Gone(step.side);
      case Verb::kThrottle:
        return player_.set_throttled(step.words[0] == "on");
      case Verb::kNote:
        return expected_notes_.push_back(Join(step.words));
      case Verb::kClose:
        return CheckClose(step);
      case Verb::kDetach:
        if (!player_.detached()) Fail("not detached");
        detach_seen_ = true;
        return;
      case Verb::kExpect:
        return CheckExpect(step);
    }
  }

  void CheckClose(const Step& step) {
    close_seen_ = true;
    if (!player_.closed()) return Fail("the session was not ended");
    std::string actual(Word(player_.closed()->cause));
    if (player_.closed()->delay.count() > 0) {
      actual += " delay " + std::to_string(player_.closed()->delay.count());
    }
    if (actual != Join(step.words)) Fail("ended otherwise: " + actual);
  }

  void CheckExpect(const Step& step) {
    const std::string& what = step.words[0];
    const std::string value = step.words.size() > 1 ? step.words[1] : "";
    std::string actual;
    if (what == "at_rest" || what == "busy") {
      actual = player_.at_rest() ? "at_rest" : "busy";
      if (actual != what) Fail("expected " + what + ", is " + actual);
    } else if (what == "turn") {
      actual = player_.turn() == Turn::kClient ? "client" : "server";
    } else if (what == "user") {
      actual = player_.user();
    } else if (what == "phase" && player_.filter() != nullptr) {
      actual = Word(player_.filter()->phase());
    } else {
      return Fail("unknown expectation " + what);
    }
    if (!value.empty() && actual != value)
      Fail("expected " + what + " " + value + ", is " + actual);
  }

  static size_t Index(Side side) { return side == Side::kClient ? 0 : 1; }

  // What was written against what came, since the last time.
  void Compare(bool last = false) {
    CompareSide(Side::kClient, "the client gets");
    CompareSide(Side::kServer, "the backend gets");
    CompareNotes(last);
    if (player_.closed() && !close_seen_) {
      Fail("the session ended: close " + std::string(Word(player_.closed()->cause)));
    }
    if (player_.detached() && !detach_seen_) Fail("detached");
    if (transcript_.connects && player_.connect_wanted() && !connect_seen_) {
      Fail("a connection to the backend was asked for");
    }
  }

  void CompareSide(Side side, const char* title) {
    std::vector<const Step*>& lines = lines_[Index(side)];
    const std::string_view actual =
        std::string_view(player_.sent(side)).substr(compared_[Index(side)]);
    std::string_view rest = actual;
    bool equal = true;
    for (const Step* line : lines) {
      equal = equal && rest.starts_with(line->bytes);
      if (!equal) break;
      rest.remove_prefix(line->bytes.size());
      if (line->wildcard) rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
    }
    if (!equal || !rest.empty()) Fail(std::string(title) + Difference(lines, actual));
    compared_[Index(side)] = player_.sent(side).size();
    lines.clear();
  }

  static std::string Difference(const std::vector<const Step*>& lines, std::string_view actual) {
    std::ostringstream out;
    for (const Step* line : lines) {
      out << "\n  written  " << line->line << ": " << Escape(line->bytes)
          << (line->wildcard ? "..." : "");
    }
    if (lines.empty()) out << "\n  written  nothing";
    for (std::string_view rest = actual; !rest.empty();) {
      const size_t size = std::min(rest.find('\n'), rest.size() - 1) + 1;
      out << "\n  came     " << Escape(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    if (actual.empty()) out << "\n  came     nothing";
    return out.str();
  }

  // Without any `note` in the file, notes are not looked at. One that is written has to have come
  // by now; one that has come may be written further down.
  void CompareNotes(bool last) {
    const std::vector<Event>& events = player_.notes();
    bool equal = expected_notes_.size() <= events.size() &&
                 (!last || expected_notes_.empty() || expected_notes_.size() == events.size());
    for (size_t i = 0; equal && i < expected_notes_.size(); ++i) {
      equal = BeginsWithWords(Describe(events[i]), expected_notes_[i]);
    }
    if (equal) return;
    std::string text = "notes";
    for (const std::string& note : expected_notes_) text += "\n  written  note " + note;
    for (const Event& event : events) text += "\n  came     note " + Escape(Describe(event));
    Fail(text);
  }

  void Fail(const std::string& what) {
    report_ +=
        transcript_.path + ":" + std::to_string(line_) + " (" + cutting_.name + "): " + what + "\n";
  }

  const Transcript& transcript_;
  const Cutting& cutting_;
  std::mt19937 random_;
  Player player_;
  int line_ = 0;
  std::vector<const Step*> lines_[2];
  size_t compared_[2] = {0, 0};
  std::vector<std::string> expected_notes_;
  bool close_seen_ = false;
  bool detach_seen_ = false;
  bool connect_seen_ = false;
  std::string report_;
};

uint32_t SeedOf(std::string_view text) {
  uint32_t hash = 2166136261u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

}  // namespace

std::string RunTranscript(const Transcript& transcript, const FilterMaker& make) {
  if (!transcript.complaint.empty()) return transcript.complaint;
  std::vector<Cutting> cuttings = {{"whole", 0, 0}};
  if (!transcript.given.together) {
    cuttings.push_back({"byte by byte", 1, 0});
    const uint32_t seed = SeedOf(transcript.path.substr(transcript.path.rfind('/') + 1));
    for (uint32_t i = 0; i < kRandomRuns; ++i) {
      const size_t longest = size_t{2} << (i % 6);
      cuttings.push_back({"cut at random, seed " + std::to_string(seed + i), longest, seed + i});
    }
  }
  for (const Cutting& cutting : cuttings) {
    std::string report = Run(transcript, make, cutting).Play();
    if (!report.empty()) return report;
  }
  return {};
}

std::string Describe(const Event& event) {
  std::ostringstream out;
  if (const auto* auth = std::get_if<AuthEvent>(&event)) {
    out << "auth " << ToString(auth->mechanism) << ' ' << ToString(auth->channel) << ' '
        << ToString(auth->result) << ' ' << (auth->user.empty() ? "-" : auth->user) << " ("
        << auth->reason << ")";
  } else if (const auto* rewrite = std::get_if<RewriteEvent>(&event)) {
    out << "rewrite " << ToString(rewrite->from) << ' ' << ToString(rewrite->to);
  } else if (const auto* blocked = std::get_if<BlockedEvent>(&event)) {
    out << "blocked " << (blocked->command.empty() ? "-" : blocked->command) << ' '
        << ToString(blocked->reason);
  } else if (const auto* error = std::get_if<ProtocolErrorEvent>(&event)) {
    out << "protocol_error " << ToString(error->fault);
  } else if (const auto* fault = std::get_if<BackendFaultEvent>(&event)) {
    out << "backend_fault " << ToString(fault->reason) << ' ' << fault->detail;
  } else {
    out << "injection";
  }
  return out.str();
}

}  // namespace postern::testing
