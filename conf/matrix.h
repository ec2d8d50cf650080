// Who may log in how: for each listener and mechanism what happens in the clear and inside TLS. The
// table of `check --matrix`, and the rows that the page at the admin address shows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"

namespace postern::conf {

struct MatrixCell {
  enum class Outcome : uint8_t {
    kNone,  // a log-in cannot reach this listener so: no clear with implicit TLS, no TLS with none
    kBlocked,   // not shown, and refused when tried
    kPassed,    // shown where the backend shows it, and passed to it as it is
    kRewritten  // shown, taken by Postern and spoken to the backend as `to` says
  };

  Outcome outcome = Outcome::kNone;
  std::string to;         // kRewritten: a mechanism, "auto", or "the same, as another user"
  bool observed = false;  // with `enforce: observe`: would have been blocked, and is counted

  // "-", "blocked", "shown, passed", "shown, rewritten to NTLM"; with ", observed" where it is.
  std::string Text() const;
  bool operator==(const MatrixCell&) const = default;
};

struct MatrixRow {
  std::string mechanism;  // in upper case; "*": every one that has no row
  MatrixCell clear;
  MatrixCell tls;

  bool operator==(const MatrixRow&) const = default;
};

struct MatrixTable {
  std::string listener;
  Protocol protocol = Protocol::kImap;
  std::string address;
  TlsMode tls = TlsMode::kImplicit;
  std::string backend;
  ConnectAt connect = ConnectAt::kAccept;
  std::vector<MatrixRow> rows;  // BASIC first, "*" last
};

// One cell. `mechanism` in any case; BASIC is IMAP's LOGIN command and POP3's USER/PASS.
MatrixCell CellOf(const Listener& listener, const Backend& backend, std::string_view mechanism,
                  bool inside_tls);

// All listeners in their order. Rows: the mechanisms people know, and all that the listener's
// configuration names; APOP for pop3 alone.
std::vector<MatrixTable> MatrixOf(const Config& config);

// The tables as text, aligned, each under a line about its listener, an empty line between them.
std::string MatrixText(const std::vector<MatrixTable>& tables);

}  // namespace postern::conf
