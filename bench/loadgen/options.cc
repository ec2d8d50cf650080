#include "bench/loadgen/options.h"

#include <array>
#include <charconv>
#include <utility>

#include "bench/option_reader.h"

namespace postern::loadgen {
namespace {

constexpr std::string_view kUsage = R"(usage: loadgen --target ADDR:PORT [OPTION]...

Puts load on a mail proxy and writes what it saw as JSON.

  --mode M         handshake, resume, session, bulk-down, bulk-up, latency, idle, mixed (handshake)
  --protocol P     imap, pop3, smtp (imap); bulk-down: imap, pop3; bulk-up: imap, smtp
  --tls T          implicit, starttls, none (implicit)
  --connections N  at a time (16)
  --active N       latency, mixed: commands under way at a time (all connections)
  --seconds S      measured (5), after --warmup S (0.5)
  --count N        at most so many operations
  --rate R         mixed: handshakes a second (500)
  --hold S         idle: between the last log-in and the measurement (1)
  --size BYTES     bulk-up: of one message (1 MiB)
  --user U --password P   (user, secret)
  --tls12          TLS 1.2
  --proxy-pid PID  root of a process tree whose CPU time and memory are reported; may be repeated
  --backend-pid PID
)";

constexpr std::array<std::pair<std::string_view, Mode>, 8> kModes = {{
    {"handshake", Mode::kHandshake},
    {"resume", Mode::kResume},
    {"session", Mode::kSession},
    {"bulk-down", Mode::kBulkDown},
    {"bulk-up", Mode::kBulkUp},
    {"latency", Mode::kLatency},
    {"idle", Mode::kIdle},
    {"mixed", Mode::kMixed},
}};

constexpr std::array<std::pair<std::string_view, Protocol>, 3> kProtocols = {{
    {"imap", Protocol::kImap},
    {"pop3", Protocol::kPop3},
    {"smtp", Protocol::kSmtp},
}};

constexpr std::array<std::pair<std::string_view, Tls>, 3> kTls = {{
    {"none", Tls::kNone},
    {"implicit", Tls::kImplicit},
    {"starttls", Tls::kStarttls},
}};

template <typename Table, typename Value>
std::string_view NameIn(const Table& table, Value value) {
  for (const auto& [name, entry] : table) {
    if (entry == value) return name;
  }
  return "";
}

class Parser {
 public:
  Parser(int argc, char** argv, std::string& error) : reader_(argc, argv, error), error_(error) {}

  std::optional<Options> Parse() {
    reader_.Run({
        {"--target", [this] { SetTarget(); }},
        {"--mode", [this] { Choose(kModes, options_.mode); }},
        {"--protocol", [this] { Choose(kProtocols, options_.protocol); }},
        {"--tls", [this] { Choose(kTls, options_.tls); }},
        {"--connections", [this] { reader_.SetNumber(options_.connections); }},
        {"--active", [this] { reader_.SetNumber(options_.active); }},
        {"--seconds", [this] { reader_.SetNumber(options_.seconds); }},
        {"--warmup", [this] { reader_.SetNumber(options_.warmup); }},
        {"--count", [this] { reader_.SetNumber(options_.count); }},
        {"--rate", [this] { reader_.SetNumber(options_.rate); }},
        {"--hold", [this] { reader_.SetNumber(options_.hold); }},
        {"--size", [this] { reader_.SetNumber(options_.size); }},
        {"--user", [this] { options_.user = reader_.Value(); }},
        {"--password", [this] { options_.password = reader_.Value(); }},
        {"--tls12", [this] { options_.tls12 = true; }},
        {"--proxy-pid", [this] { reader_.SetNumber(options_.proxy.emplace_back()); }},
        {"--backend-pid", [this] { reader_.SetNumber(options_.backend.emplace_back()); }},
    });
    if (error_.empty()) Check();
    if (!error_.empty()) return std::nullopt;
    return std::move(options_);
  }

 private:
  template <typename Table, typename Choice>
  void Choose(const Table& table, Choice& target) {
    std::string_view text = reader_.Value();
    for (const auto& [name, entry] : table) {
      if (name != text) continue;
      target = entry;
      return;
    }
    error_ = std::string(reader_.option()) + ": unknown " + std::string(text);
  }

  void SetTarget() {
    std::string_view text = reader_.Value();
    size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
      error_ = "--target needs ADDR:PORT";
      return;
    }
    std::string_view port = text.substr(colon + 1);
    options_.host = text.substr(0, colon);
    std::from_chars(port.data(), port.data() + port.size(), options_.port);
  }

  void Check() {
    const Options& o = options_;
    if (o.host.empty() || o.port == 0) error_ = "--target ADDR:PORT is needed";
    if (o.connections == 0) error_ = "--connections must not be 0";
    if (o.mode == Mode::kBulkDown && o.protocol == Protocol::kSmtp)
      error_ = "smtp has no downloads";
    if (o.mode == Mode::kBulkUp && o.protocol == Protocol::kPop3) error_ = "pop3 has no uploads";
    if (o.mode == Mode::kResume && o.tls == Tls::kNone) error_ = "nothing to resume without TLS";
  }

  OptionReader reader_;
  std::string& error_;
  Options options_;
};

}  // namespace

std::optional<Options> ParseCommandLine(int argc, char** argv, std::string& error) {
  return Parser(argc, argv, error).Parse();
}

std::string_view HelpText() { return kUsage; }
std::string_view Name(Mode mode) { return NameIn(kModes, mode); }
std::string_view Name(Protocol protocol) { return NameIn(kProtocols, protocol); }
std::string_view Name(Tls tls) { return NameIn(kTls, tls); }

}  // namespace postern::loadgen
