#include "bench/legacy_server/options.h"

#include "bench/legacy_server/text.h"
#include "bench/option_reader.h"

namespace postern::legacy {
namespace {

constexpr std::string_view kUsage = R"(usage: legacy_server [OPTION]...

A mail server of the old kind, without TLS, its mail in memory, for tests and benchmarks.

where:
  --imap --pop3 --smtp --lmtp ADDR:PORT   listen; port 0 lets the system choose
  --threads N          event loops (1)
  --log FILE           write down every byte that clients send
what is in it:
  --user NAME:PASSWORD one more user (user:secret where none is named)
  --accept-any         any name and password will do
  --messages N         messages in each INBOX (10)
  --message-size BYTES of each of them (4096)
  --max-message BYTES  largest message taken (512 MiB)
  --max-store BYTES    all mail together (1 GiB)
  --discard            take new messages and forget them
how it speaks:
  --profile NAME       generic, exchange-5.5, exchange-2003, domino
  --mechanisms LIST    PLAIN,LOGIN,CRAM-MD5,SCRAM-SHA-1,SCRAM-SHA-256,NTLM; other names are shown
                       and play a dialogue of two challenges that always succeeds; "" none
  --capability WORDS   shown besides, in each protocol's list
  --greeting LINE      instead of its own
  --apop               a stamp in the POP3 greeting, and APOP
  --literal-plus       LITERAL+ (imap)
  --chunking           CHUNKING and BDAT (smtp, lmtp)
  --require-auth       no MAIL before a log-in (smtp)
  --no-capa --no-ehlo  these commands are unknown
  --bare-lf            answers end in LF
  --lenient-dot        LF . LF ends message data too
how it fails:
  --slow MS            waits before each answer
  --split BYTES        sends its answers in pieces of that size
  --split-delay MS     between two pieces (2)
  --hangup-after N     closes after N commands
  --refuse VERB        answers that command with an error
  --die-at VERB        closes at that command, without an answer
)";

class Parser {
 public:
  Parser(int argc, char** argv, std::string& error) : reader_(argc, argv, error), error_(error) {
    options_.profile = FindProfile("generic");
  }

  std::optional<Options> Parse() {
    reader_.Run(Table());
    if (error_.empty() && options_.endpoints.empty()) error_ = "nothing to listen on";
    if (!error_.empty()) return std::nullopt;
    Complete();
    return std::move(options_);
  }

 private:
  OptionReader::Table Table() {
    return {
        {"--imap", [this] { AddEndpoint(Protocol::kImap); }},
        {"--pop3", [this] { AddEndpoint(Protocol::kPop3); }},
        {"--smtp", [this] { AddEndpoint(Protocol::kSmtp); }},
        {"--lmtp", [this] { AddEndpoint(Protocol::kLmtp); }},
        {"--user", [this] { AddUser(); }},
        {"--profile", [this] { SetProfile(); }},
        {"--mechanisms", [this] { mechanisms_ = std::string(reader_.Value()); }},
        {"--capability", [this] { options_.capabilities.emplace_back(reader_.Value()); }},
        {"--refuse", [this] { options_.refused.push_back(Upper(reader_.Value())); }},
        {"--die-at", [this] { options_.deadly.push_back(Upper(reader_.Value())); }},
        {"--greeting", [this] { options_.greeting = std::string(reader_.Value()); }},
        {"--log", [this] { options_.log_file = std::string(reader_.Value()); }},
        {"--messages", [this] { reader_.SetNumber(options_.messages); }},
        {"--message-size", [this] { reader_.SetNumber(options_.message_size); }},
        {"--max-message", [this] { reader_.SetNumber(options_.max_message); }},
        {"--max-store", [this] { reader_.SetNumber(options_.max_store); }},
        {"--threads", [this] { reader_.SetNumber(options_.threads); }},
        {"--slow", [this] { reader_.SetNumber(options_.slow_ms); }},
        {"--split", [this] { reader_.SetNumber(options_.split_bytes); }},
        {"--split-delay", [this] { reader_.SetNumber(options_.split_delay_ms); }},
        {"--hangup-after", [this] { reader_.SetNumber(options_.hangup_after); }},
        {"--accept-any", [this] { options_.accept_any = true; }},
        {"--apop", [this] { options_.apop = true; }},
        {"--chunking", [this] { options_.chunking = true; }},
        {"--literal-plus", [this] { options_.literal_plus = true; }},
        {"--no-capa", [this] { options_.capa = false; }},
        {"--no-ehlo", [this] { options_.ehlo = false; }},
        {"--require-auth", [this] { options_.require_auth = true; }},
        {"--discard", [this] { options_.discard = true; }},
        {"--bare-lf", [this] { options_.bare_lf_answers = true; }},
        {"--lenient-dot", [this] { options_.lenient_dot = true; }},
    };
  }

  void AddEndpoint(Protocol protocol) {
    std::string_view text = reader_.Value();
    size_t colon = text.rfind(':');
    std::optional<uint64_t> port;
    if (colon != std::string_view::npos) port = ParseNumber(text.substr(colon + 1));
    if (!port || *port > 65535) {
      error_ = std::string(reader_.option()) + " needs ADDR:PORT, not " + std::string(text);
      return;
    }
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    options_.endpoints.push_back({protocol, std::string(host), static_cast<uint16_t>(*port)});
  }

  void AddUser() {
    std::string_view text = reader_.Value();
    size_t colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0) {
      error_ = "--user needs NAME:PASSWORD";
      return;
    }
    options_.users.push_back(
        {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))});
  }

  void SetProfile() {
    std::string_view name = reader_.Value();
    options_.profile = FindProfile(name);
    if (options_.profile == nullptr) error_ = "unknown profile " + std::string(name);
  }

  void Complete() {
    if (options_.users.empty()) options_.users.push_back({"user", "secret"});
    if (options_.threads == 0) options_.threads = 1;
    std::string list = mechanisms_.value_or(std::string(options_.profile->mechanisms));
    for (std::string_view name : Split(list, ", ")) options_.mechanisms.push_back(Upper(name));
    if (options_.profile->pop3_capabilities.empty()) options_.capa = false;
  }

  OptionReader reader_;
  std::string& error_;
  std::optional<std::string> mechanisms_;
  Options options_;
};

}  // namespace

std::optional<Options> ParseCommandLine(int argc, char** argv, std::string& error) {
  return Parser(argc, argv, error).Parse();
}

std::string_view Usage() { return kUsage; }

}  // namespace postern::legacy
