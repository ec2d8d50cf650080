#include "bench/loadgen/script.h"

namespace postern::loadgen {
namespace {

std::string MakeBody(size_t size) {
  constexpr std::string_view kHead = "Subject: load\r\n\r\n";
  constexpr std::string_view kLine =
      "The quick brown fox jumps over the lazy dog and goes on to the next line.\r\n";
  std::string body(kHead);
  body.reserve(size + kLine.size());
  while (body.size() + kLine.size() <= size) body += kLine;
  if (body.size() + 2 <= size) body += std::string(size - body.size() - 2, 'x') + "\r\n";
  return body;
}

void AddClear(const Options& options, Script& script) {
  if (options.tls != Tls::kStarttls) return;
  switch (options.protocol) {
    case Protocol::kImap:
      script.clear = {{"", Reply::kLine}, {"a STARTTLS\r\n", Reply::kTagged}};
      break;
    case Protocol::kPop3:
      script.clear = {{"", Reply::kLine}, {"STLS\r\n", Reply::kLine}};
      break;
    case Protocol::kSmtp:
      script.clear = {{"", Reply::kSmtp},
                      {"EHLO load.example\r\n", Reply::kSmtp},
                      {"STARTTLS\r\n", Reply::kSmtp}};
      break;
  }
}

// A reply of the server's to show that it can be talked to: its greeting, or where that came in
// the clear the answer to a command.
void AddFirst(const Options& options, Script& script) {
  bool greeted = options.tls == Tls::kStarttls;
  switch (options.protocol) {
    case Protocol::kImap:
      if (!greeted) script.opening.push_back({"", Reply::kLine});
      break;
    case Protocol::kPop3:
      if (!greeted) script.opening.push_back({"", Reply::kLine});
      break;
    case Protocol::kSmtp:
      if (!greeted) script.opening.push_back({"", Reply::kSmtp});
      break;
  }
}

void AddLogin(const Options& options, Script& script) {
  std::vector<Step>& steps = script.opening;
  switch (options.protocol) {
    case Protocol::kImap:
      steps.push_back(
          {"a LOGIN " + options.user + " " + options.password + "\r\n", Reply::kTagged});
      break;
    case Protocol::kPop3:
      steps.push_back({"USER " + options.user + "\r\n", Reply::kLine});
      steps.push_back({"PASS " + options.password + "\r\n", Reply::kLine});
      break;
    case Protocol::kSmtp:
      steps.push_back({"EHLO load.example\r\n", Reply::kSmtp});
      break;
  }
}

std::vector<Step> Noop(Protocol protocol) {
  switch (protocol) {
    case Protocol::kImap:
      return {{"a NOOP\r\n", Reply::kTagged}};
    case Protocol::kPop3:
      return {{"NOOP\r\n", Reply::kLine}};
    case Protocol::kSmtp:
      return {{"NOOP\r\n", Reply::kSmtp}};
  }
  return {};
}

std::vector<Step> Mail() {
  return {{"MAIL FROM:<load@load.example>\r\n", Reply::kSmtp},
          {"RCPT TO:<user@legacy.example>\r\n", Reply::kSmtp},
          {"DATA\r\n", Reply::kSmtp},
          {"", Reply::kSmtp, true}};
}

void AddWork(const Options& options, Script& script) {
  std::vector<Step>& steps = script.opening;
  switch (options.protocol) {
    case Protocol::kImap:
      steps.push_back({"a SELECT INBOX\r\n", Reply::kTagged});
      steps.push_back({"a NOOP\r\n", Reply::kTagged});
      steps.push_back({"a LOGOUT\r\n", Reply::kTagged});
      break;
    case Protocol::kPop3:
      steps.push_back({"STAT\r\n", Reply::kLine});
      steps.push_back({"NOOP\r\n", Reply::kLine});
      steps.push_back({"QUIT\r\n", Reply::kLine});
      break;
    case Protocol::kSmtp:
      for (const Step& step : Mail()) steps.push_back(step);
      steps.push_back({"QUIT\r\n", Reply::kSmtp});
      script.body = MakeBody(1024) + ".\r\n";
      break;
  }
}

void AddDownload(const Options& options, Script& script) {
  if (options.protocol == Protocol::kImap) {
    script.opening.push_back({"a SELECT INBOX\r\n", Reply::kTagged});
    script.loop = {{"a FETCH 1 BODY.PEEK[]\r\n", Reply::kTagged}};
  } else {
    script.loop = {{"RETR 1\r\n", Reply::kMultiline}};
  }
}

void AddUpload(const Options& options, Script& script) {
  std::string body = MakeBody(options.size);
  if (options.protocol == Protocol::kImap) {
    std::string size = std::to_string(body.size());
    script.loop = {{"a APPEND INBOX {" + size + "}\r\n", Reply::kPlus}, {"", Reply::kTagged, true}};
    script.body = body + "\r\n";
  } else {
    script.loop = Mail();
    script.body = body + ".\r\n";
  }
}

}  // namespace

bool IsCold(Mode mode) {
  return mode == Mode::kHandshake || mode == Mode::kResume || mode == Mode::kSession;
}

Script MakeHandshakeScript(const Options& options) {
  Script script;
  AddClear(options, script);
  AddFirst(options, script);
  return script;
}

Script MakeScript(const Options& options) {
  Script script = MakeHandshakeScript(options);
  if (options.mode == Mode::kHandshake || options.mode == Mode::kResume) return script;
  AddLogin(options, script);
  if (options.mode == Mode::kSession) AddWork(options, script);
  if (options.mode == Mode::kBulkDown) AddDownload(options, script);
  if (options.mode == Mode::kBulkUp) AddUpload(options, script);
  if (options.mode == Mode::kLatency || options.mode == Mode::kMixed) {
    script.loop = Noop(options.protocol);
  }
  return script;
}

}  // namespace postern::loadgen
