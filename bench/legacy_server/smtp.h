// SMTP (RFC 5321) and LMTP (RFC 2033) with AUTH (RFC 4954) and BDAT (RFC 3030). What is taken goes
// into the store as it came, without a header of this server's own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/legacy_server/dialogue.h"
#include "bench/legacy_server/sasl.h"

namespace postern::legacy {

class SmtpDialogue : public Dialogue {
 public:
  SmtpDialogue(bool lmtp, const Options& options, Store& store);

  void Greet(Output& out) override;

 protected:
  size_t Take(std::string_view input, Output& out) override;

 private:
  static constexpr size_t kMaxRecipients = 1000;

  enum class Mode : uint8_t { kCommands, kData, kChunk };

  struct Verb {
    std::string_view name;
    void (SmtpDialogue::*run)(std::string_view arguments, Output& out);
  };
  static const Verb kVerbs[];

  void Execute(std::string_view line, Output& out);
  size_t TakeData(std::string_view input, Output& out);
  size_t TakeChunk(std::string_view input, Output& out);
  bool EndsData(std::string_view line) const;
  void Keep(std::string_view bytes);

  void Ehlo(std::string_view arguments, Output& out);
  void Helo(std::string_view arguments, Output& out);
  void Lhlo(std::string_view arguments, Output& out);
  void Mail(std::string_view arguments, Output& out);
  void Rcpt(std::string_view arguments, Output& out);
  void Data(std::string_view arguments, Output& out);
  void Bdat(std::string_view arguments, Output& out);
  void Rset(std::string_view arguments, Output& out);
  void Noop(std::string_view arguments, Output& out);
  void Vrfy(std::string_view arguments, Output& out);
  void Help(std::string_view arguments, Output& out);
  void Auth(std::string_view arguments, Output& out);
  void Exps(std::string_view arguments, Output& out);
  void Quit(std::string_view arguments, Output& out);

  std::vector<std::string> Keywords() const;
  bool chunking() const;
  void AfterSasl(SaslState state, Output& out);
  void Deliver(Output& out);
  void Forget();

  const bool lmtp_;
  Mode mode_ = Mode::kCommands;
  SaslExchange sasl_;
  bool logged_in_ = false;
  bool has_sender_ = false;
  std::vector<std::string> recipients_;

  std::string message_;
  bool too_large_ = false;
  bool at_line_start_ = true;  // in DATA: the last line was complete
  size_t chunk_left_ = 0;      // bytes of the BDAT under way
  bool last_chunk_ = false;
};

}  // namespace postern::legacy
