// What the fuzzers of the filters share. An input is a dialogue in the format of tests/transcripts
// (which seed them), read leniently: settings and what happens to the session count, expectations
// don't. It is played whole and in pieces, which must come to the same; the rules of
// filters/filter.h must hold; and where the policy allows no log-in at all, none may come out on
// the backend's side.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "filters/filter.h"
#include "tests/transcripts/player.h"
#include "tests/transcripts/transcript.h"

namespace postern::testing {

class FilterHarness {
 public:
  using Maker = std::function<std::unique_ptr<Filter>(const FilterOptions&, const SessionInfo&)>;
  // Whether what the backend got before any log-in was allowed holds one all the same.
  using LogInFinder = std::function<bool(std::string_view to_server)>;

  FilterHarness(Protocol protocol, Maker make, LogInFinder finds_log_in)
      : protocol_(protocol), make_(std::move(make)), finds_log_in_(std::move(finds_log_in)) {}

  void Run(std::string_view input) const {
    if (input.size() > kMaxInput || RepeatsMuch(input)) return;
    Transcript transcript = ParseTranscript(input, protocol_, true);
    size_t bytes_in = 0;
    for (const Step& step : transcript.steps) bytes_in += step.bytes.size();
    if (bytes_in > kMaxBytes) return;
    // Any expression could be there, and std::regex takes its time and its stack.
    if (!transcript.given.options.users.empty()) {
      transcript.given.options.users = {UserRule{std::regex("^f"), "g"}};
    }
    const Outcome whole = Play(transcript, [](size_t left) { return left; });
    const Outcome bytes = Play(transcript, [](size_t) { return size_t{1}; });
    Compare(whole, bytes, "byte by byte");
    std::mt19937 random(static_cast<uint32_t>(input.size()));
    const Outcome pieces = Play(
        transcript, [&random](size_t left) { return std::min<size_t>(left, 1 + random() % 7); });
    Compare(whole, pieces, "in pieces");
  }

 private:
  // Small, for played byte by byte a line costs the square of its length.
  static constexpr size_t kMaxInput = 4 * 1024;
  static constexpr size_t kMaxBytes = 2 * 1024;  // said by both sides together

  struct Outcome {
    std::string text;        // all that can be seen from outside
    bool comparable = true;  // nothing that depends on how bytes arrive has happened
  };

  // True for a text that says `*1000` or more: `\{text*N}` would take much memory.
  static bool RepeatsMuch(std::string_view input) {
    for (size_t star = 0; (star = input.find('*', star)) != std::string_view::npos; ++star) {
      const std::string_view number = input.substr(star + 1, 4);
      if (number.size() == 4 && number.find_first_not_of("0123456789") == std::string_view::npos) {
        return true;
      }
    }
    return false;
  }

  static void Die(std::string_view what, std::string_view detail) {
    std::fprintf(stderr, "%.*s\n%.*s\n", static_cast<int>(what.size()), what.data(),
                 static_cast<int>(detail.size()), detail.data());
    std::abort();
  }

  static void Compare(const Outcome& a, const Outcome& b, std::string_view how) {
    if (a.comparable && b.comparable && a.text != b.text) {
      Die("another outcome " + std::string(how), a.text + "---\n" + b.text);
    }
  }

  Outcome Play(const Transcript& transcript, const std::function<size_t(size_t)>& piece) const {
    const Given& given = transcript.given;
    Player player(make_(given.options, given.info), given.moment, !transcript.connects);
    player.ClientUp(given.channel, given.channel == Channel::kTls ? &given.tls : nullptr);
    Outcome outcome;
    const std::vector<Step>& steps = transcript.steps;
    for (size_t i = 0; i < steps.size() && !player.closed() && outcome.comparable; ++i) {
      if (steps[i].verb != Verb::kInput) {
        Happen(steps[i], given, player);
      } else {
        std::string bytes = steps[i].bytes;
        while (i + 1 < steps.size() && steps[i + 1].verb == Verb::kInput &&
               steps[i + 1].side == steps[i].side) {
          bytes += steps[++i].bytes;
        }
        outcome.comparable = Say(steps[i].side, bytes, piece, player);
      }
      Check(given, player);
    }
    outcome.text = Describe(player);
    return outcome;
  }

  // False where bytes stood behind a STARTTLS that has been answered: whether that is an injection
  // or TLS depends on when they arrive.
  static bool Say(Side side, std::string_view bytes, const std::function<size_t(size_t)>& piece,
                  Player& player) {
    if (side == Side::kServer && !player.server_up()) return true;
    if (side == Side::kClient && player.tls_wanted()) return true;
    while (!bytes.empty() && !player.closed()) {
      if (side == Side::kClient && player.tls_wanted()) return false;
      // A server's lines come one by one at most: where the client has been held, what it says next
      // falls between two of them or not, as the reads go.
      const size_t line = std::min(bytes.find('\n'), bytes.size() - 1) + 1;
      const size_t size = piece(side == Side::kServer ? line : bytes.size());
      player.Bytes(side, bytes.substr(0, size));
      bytes.remove_prefix(size);
    }
    const auto& notes = player.notes();
    return std::none_of(notes.begin(), notes.end(), [](const Event& event) {
      return std::holds_alternative<StartTlsInjectionEvent>(event);
    });
  }

  static void Happen(const Step& step, const Given& given, Player& player) {
    if (step.verb == Verb::kTlsUp && player.tls_wanted()) player.TlsUp(given.tls);
    if (step.verb == Verb::kServerUp && player.connect_wanted()) player.ServerUp();
    if (step.verb == Verb::kGone) player.Gone(step.side);
    if (step.verb == Verb::kThrottle) player.set_throttled(step.words[0] == "on");
  }

  void Check(const Given& given, const Player& player) const {
    if (!player.violation().empty()) Die("a rule of filters/filter.h", player.violation());
    if (AllowsSomething(given)) return;
    if (player.detached()) Die("a log-in that no policy allows", Describe(player));
    if (finds_log_in_(player.sent(Side::kServer))) {
      Die("a forbidden log-in at the backend", Describe(player));
    }
  }

  static bool AllowsSomething(const Given& given) {
    const auto& rules = given.mechanisms;
    return given.options.observe || std::any_of(rules.begin(), rules.end(), [](const auto& rule) {
             return rule.second != Rule::kNever;
           });
  }

  static std::string Describe(const Player& player) {
    std::string text = "client: " + Escape(player.sent(Side::kClient)) +
                       "\nserver: " + Escape(player.sent(Side::kServer)) +
                       "\nnotes: " + std::to_string(player.notes().size()) + "\n";
    if (player.detached()) text += "detached\n";
    if (player.closed()) {
      text += "closed " + std::to_string(static_cast<int>(player.closed()->cause)) + " after " +
              std::to_string(player.closed()->delay.count()) + "\n";
    } else {
      text += player.at_rest() ? "at rest\n" : "busy\n";
    }
    return text;
  }

  Protocol protocol_;
  Maker make_;
  LogInFinder finds_log_in_;
};

}  // namespace postern::testing
