// What the canned legacy mail server is told on its command line, and how an old server of a given
// make would introduce itself. Filled once by main, read-only afterwards, shared by all threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::legacy {

enum class Protocol : uint8_t { kImap, kPop3, kSmtp, kLmtp };

struct User {
  std::string name;
  std::string password;
};

// Where to listen. Port 0 lets the kernel choose; `text` is what was written.
struct Endpoint {
  Protocol protocol;
  std::string host;
  uint16_t port = 0;
};

// The words of one make of server. Capability lists leave out what options add: log-in mechanisms,
// CHUNKING, LITERAL+, and what --capability names.
struct Profile {
  std::string_view name;
  std::string_view imap_greeting;
  std::string_view imap_capabilities;
  std::string_view pop3_greeting;
  std::string_view pop3_capabilities;  // separated by blanks; empty: no CAPA
  std::string_view smtp_greeting;
  std::string_view smtp_keywords;  // separated by ';'
  std::string_view mechanisms;     // separated by blanks; default of --mechanisms
  bool old_auth_spelling = false;  // shows AUTH=LOGIN beside AUTH LOGIN
  bool exps = false;               // shows and takes X-EXPS
};

// Finds a profile by its name; nullptr where there is none.
const Profile* FindProfile(std::string_view name);

struct Options {
  std::vector<Endpoint> endpoints;
  std::vector<User> users;
  const Profile* profile = nullptr;
  std::vector<std::string> mechanisms;
  std::vector<std::string> capabilities;  // shown besides, whatever they mean
  std::vector<std::string> refused;       // verbs answered with an error
  std::vector<std::string> deadly;        // verbs at which the connection is dropped
  std::optional<std::string> greeting;    // replaces the greeting, without its line end
  std::string log_file;

  size_t messages = 10;
  size_t message_size = 4096;
  size_t max_message = size_t{512} << 20;  // bytes one client may hand over at once
  size_t max_store = size_t{1} << 30;      // bytes of all messages together
  size_t threads = 1;
  size_t slow_ms = 0;         // before each answer
  size_t split_bytes = 0;     // answers leave in pieces of this size
  size_t split_delay_ms = 2;  // between two of them
  size_t hangup_after = 0;    // commands; 0 never

  bool accept_any = false;
  bool apop = false;
  bool chunking = false;
  bool literal_plus = false;
  bool capa = true;
  bool ehlo = true;
  bool require_auth = false;  // SMTP: no MAIL before a log-in
  bool discard = false;       // take messages and forget them
  bool bare_lf_answers = false;
  bool lenient_dot = false;  // LF . LF ends message data too, as careless servers had it
};

// Reads the command line. What is wrong with it goes to `error`, and nothing comes back.
std::optional<Options> ParseCommandLine(int argc, char** argv, std::string& error);

std::string_view Usage();

std::string_view ProtocolName(Protocol protocol);

}  // namespace postern::legacy
