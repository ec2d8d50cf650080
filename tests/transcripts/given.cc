#include "tests/transcripts/given.h"

#include <algorithm>
#include <cctype>
#include <functional>

namespace postern::testing {
namespace {

// A flow of YAML, as far as a `given` line needs it.
struct Member;
struct Value {
  std::string scalar;
  std::vector<Value> list;
  std::vector<Member> map;
};
struct Member {
  std::string key;
  Value value;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  // `key: value, …` up to `end` or the end of the text.
  bool ReadMap(Value& value, char end) {
    for (;;) {
      SkipBlanks();
      if (end != 0 && Take(end)) return true;
      if (at_ == text_.size()) return end == 0;
      std::string key = Scalar(":");
      if (key.empty() || !Take(':')) return false;
      Value item;
      if (!ReadValue(item)) return false;
      value.map.push_back({std::move(key), std::move(item)});
      SkipBlanks();
      Take(',');
    }
  }

 private:
  bool ReadValue(Value& value) {
    SkipBlanks();
    if (Take('{')) return ReadMap(value, '}');
    if (Take('[')) return ReadList(value);
    value.scalar = Scalar(",}]");
    return true;
  }

  bool ReadList(Value& value) {
    for (;;) {
      SkipBlanks();
      if (Take(']')) return true;
      if (at_ == text_.size()) return false;
      const size_t before = at_;
      if (!ReadValue(value.list.emplace_back()) || at_ == before) return false;
      SkipBlanks();
      Take(',');
    }
  }

  std::string Scalar(std::string_view ends) {
    SkipBlanks();
    if (Take('"')) {
      const size_t close = std::min(text_.find('"', at_), text_.size());
      std::string quoted(text_.substr(at_, close - at_));
      at_ = std::min(close + 1, text_.size());
      return quoted;
    }
    const size_t stop = std::min(text_.find_first_of(ends, at_), text_.size());
    std::string bare(text_.substr(at_, stop - at_));
    at_ = stop;
    while (!bare.empty() && bare.back() == ' ') bare.pop_back();
    return bare;
  }

  void SkipBlanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool Take(char c) {
    SkipBlanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::string Upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::vector<std::string> Words(const Value& value, bool upper) {
  std::vector<std::string> words;
  for (const Value& item : value.list) words.push_back(upper ? Upper(item.scalar) : item.scalar);
  return words;
}

bool ReadBool(const Value& value, bool& target) {
  target = value.scalar == "true";
  return target || value.scalar == "false";
}

template <typename Enum>
bool ReadEnum(const Value& value, std::initializer_list<std::pair<std::string_view, Enum>> names,
              Enum& target) {
  for (const auto& [name, meaning] : names) {
    if (name != value.scalar) continue;
    target = meaning;
    return true;
  }
  return false;
}

template <typename Number>
bool ReadNumber(const Value& value, Number& target) {
  const std::string& digits = value.scalar;
  if (digits.empty() || digits.size() > 18) return false;
  if (digits.find_first_not_of("0123456789") != std::string::npos) return false;
  target = static_cast<Number>(std::stoull(digits));
  return true;
}

bool ReadChannel(const Value& value, Given& given) {
  given.options.starttls = value.scalar == "starttls";
  return ReadEnum<Channel>(
      value, {{"tls", Channel::kTls}, {"starttls", Channel::kClear}, {"clear", Channel::kClear}},
      given.channel);
}

bool ReadMechanisms(const Value& value, Given& given) {
  for (const auto& [name, rule] : value.map) {
    if (!ReadEnum<Rule>(rule,
                        {{"never", Rule::kNever}, {"tls", Rule::kTls}, {"always", Rule::kAlways}},
                        given.mechanisms[Upper(name)])) {
      return false;
    }
  }
  return true;
}

bool ReadUsers(const Value& value, Given& given) {
  for (const Value& item : value.list) {
    UserRule rule;
    for (const auto& [key, text] : item.map) {
      // std::regex knows how to refuse only by throwing.
      try {
        if (key == "match") rule.match = std::regex(text.scalar, std::regex::ECMAScript);
      } catch (const std::regex_error&) {
        return false;
      }
      if (key == "replace") rule.replace = text.scalar;
    }
    given.options.users.push_back(std::move(rule));
  }
  return true;
}

bool ReadToBackend(const Value& value, Given& given) {
  return ReadEnum<ToBackend>(value,
                             {{"same", ToBackend::kSame},
                              {"auto", ToBackend::kAuto},
                              {"BASIC", ToBackend::kBasic},
                              {"PLAIN", ToBackend::kPlain},
                              {"LOGIN", ToBackend::kLogin},
                              {"APOP", ToBackend::kApop},
                              {"CRAM-MD5", ToBackend::kCramMd5},
                              {"NTLM", ToBackend::kNtlm},
                              {"SCRAM-SHA-1", ToBackend::kScramSha1},
                              {"SCRAM-SHA-256", ToBackend::kScramSha256}},
                             given.options.to_backend);
}

bool ReadClient(const Value& value, Given& given) {
  given.info.client_address = value.scalar;
  given.info.client_is_ipv6 = value.scalar.find(':') != std::string::npos;
  return true;
}

bool ReadSeed(const Value& value, Given& given) {
  uint8_t first = 0;
  if (!ReadNumber(value, first)) return false;
  for (uint8_t& byte : given.info.seed) byte = first++;
  return true;
}

bool ReadNow(const Value& value, Given& given) {
  // More would not fit into the clock's nanoseconds.
  constexpr int64_t kMostSeconds =
      std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::duration::max()).count();
  int64_t seconds = 0;
  if (!ReadNumber(value, seconds) || seconds < 0 || seconds > kMostSeconds) return false;
  given.moment.now = std::chrono::system_clock::time_point(std::chrono::seconds(seconds));
  return true;
}

bool ReadText(const Value& value, std::string& target) {
  target = value.scalar;
  return true;
}

bool ReadWords(const Value& value, std::vector<std::string>& target) {
  target = Words(value, true);
  return true;
}

using Setter = bool (*)(const Value&, Given&);

const std::map<std::string_view, Setter>& Setters() {
  static const std::map<std::string_view, Setter> kSetters = {
      {"channel", ReadChannel},
      {"mechanisms", ReadMechanisms},
      {"users", ReadUsers},
      {"to_backend", ReadToBackend},
      {"client", ReadClient},
      {"seed", ReadSeed},
      {"now", ReadNow},
      {"together", [](auto& v, Given& g) { return ReadBool(v, g.together); }},
      {"observe", [](auto& v, Given& g) { return ReadBool(v, g.options.observe); }},
      {"throttled", [](auto& v, Given& g) { return ReadBool(v, g.moment.throttled); }},
      {"domain", [](auto& v, Given& g) { return ReadText(v, g.options.domain); }},
      {"spelling",
       [](auto& v, Given& g) {
         return ReadEnum<UserSpelling>(v,
                                       {{"as_given", UserSpelling::kAsGiven},
                                        {"domain_backslash", UserSpelling::kDomainBackslash},
                                        {"domain_slash", UserSpelling::kDomainSlash}},
                                       g.options.spelling);
       }},
      {"require_tls", [](auto& v, Given& g) { return ReadBool(v, g.options.require_tls); }},
      {"require_auth", [](auto& v, Given& g) { return ReadBool(v, g.options.require_auth); }},
      {"max_auth_failures",
       [](auto& v, Given& g) { return ReadNumber(v, g.options.max_auth_failures); }},
      {"line_limit", [](auto& v, Given& g) { return ReadNumber(v, g.options.line_limit); }},
      {"bare_lf",
       [](auto& v, Given& g) {
         return ReadEnum<bool>(v, {{"normalize", false}, {"reject", true}},
                               g.options.reject_bare_lf);
       }},
      {"allow", [](auto& v, Given& g) { return ReadWords(v, g.options.allow); }},
      {"deny", [](auto& v, Given& g) { return ReadWords(v, g.options.deny); }},
      {"at_login", [](auto& v, Given& g) { return ReadBool(v, g.options.connect_at_login); }},
      {"pipelining", [](auto& v, Given& g) { return ReadBool(v, g.options.pipelining); }},
      {"forward_client",
       [](auto& v, Given& g) {
         return ReadEnum<ForwardClient>(v,
                                        {{"none", ForwardClient::kNone},
                                         {"xclient", ForwardClient::kXclient},
                                         {"id", ForwardClient::kId},
                                         {"received", ForwardClient::kReceived}},
                                        g.options.forward_client);
       }},
      {"hidden", [](auto& v, Given& g) { return ReadWords(v, g.options.hidden); }},
      {"auth_hidden", [](auto& v, Given& g) { return ReadWords(v, g.options.auth_hidden); }},
      {"probed",
       [](auto& v, Given& g) {
         g.info.probed = std::make_shared<const std::vector<std::string>>(Words(v, false));
         return true;
       }},
      {"client_port", [](auto& v, Given& g) { return ReadNumber(v, g.info.client_port); }},
      {"local_address", [](auto& v, Given& g) { return ReadText(v, g.info.local_address); }},
      {"local_port", [](auto& v, Given& g) { return ReadNumber(v, g.info.local_port); }},
      {"session", [](auto& v, Given& g) { return ReadText(v, g.info.id); }},
      {"server_name", [](auto& v, Given& g) { return ReadText(v, g.info.server_name); }},
      {"hostname", [](auto& v, Given& g) { return ReadText(v, g.options.hostname); }},
      {"tls_version", [](auto& v, Given& g) { return ReadText(v, g.tls.version); }},
      {"cipher", [](auto& v, Given& g) { return ReadText(v, g.tls.cipher); }},
      {"bits", [](auto& v, Given& g) { return ReadNumber(v, g.tls.bits); }},
      {"sni", [](auto& v, Given& g) { return ReadText(v, g.tls.sni); }},
      {"client_certificate",
       [](auto& v, Given& g) { return ReadText(v, g.tls.client_certificate); }},
  };
  return kSetters;
}

}  // namespace

Given DefaultGiven(Protocol protocol) {
  Given given;
  given.options.protocol = protocol;
  given.options.hostname = "postern.example";
  if (protocol == Protocol::kSmtp || protocol == Protocol::kLmtp) {
    given.options.deny = {"VRFY", "EXPN"};
  }
  given.info.id = "s1";
  given.info.client_address = "192.0.2.7";
  given.info.client_port = 50123;
  given.info.local_address = "198.51.100.1";
  given.info.local_port = 993;
  given.info.server_name = "backend.example";
  for (size_t i = 0; i < given.info.seed.size(); ++i) given.info.seed[i] = static_cast<uint8_t>(i);
  given.moment.now = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
  given.tls = {"TLSv1.3", "TLS_AES_128_GCM_SHA256", 128, "mail.example", ""};
  return given;
}

std::string ReadGiven(std::string_view text, Given& given) {
  Value value;
  if (!Reader(text).ReadMap(value, 0)) return "not `key: value, …`";
  for (const auto& [key, item] : value.map) {
    const auto setter = Setters().find(key);
    if (setter == Setters().end()) return "unknown setting " + key;
    if (!setter->second(item, given)) return "bad value of " + key;
  }
  return {};
}

// As the configuration does it: a mechanism's own name, then BASIC for the basic ones, then "*".
void FinishGiven(Given& given) {
  const Rule basic = given.mechanisms.at("BASIC");
  std::vector<std::pair<std::string, Rule>> rules;
  for (const char* name : {"PLAIN", "LOGIN"}) given.mechanisms.emplace(name, basic);
  for (const auto& [name, rule] : given.mechanisms) {
    if (name != "*") rules.emplace_back(name, rule);
  }
  given.options.policy = Policy(std::move(rules), given.mechanisms.at("*"));
}

}  // namespace postern::testing
