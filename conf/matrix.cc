#include "conf/matrix.h"

#include <algorithm>
#include <cctype>

#include "conf/mechanisms.h"

namespace postern::conf {
namespace {

using Outcome = MatrixCell::Outcome;

bool IsBasic(std::string_view name) {
  return name == "BASIC" || name == "PLAIN" || name == "LOGIN";
}

std::string Upper(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return upper;
}

bool Reaches(TlsMode mode, bool inside_tls) {
  return inside_tls ? mode != TlsMode::kNone : mode != TlsMode::kImplicit;
}

// What becomes of a log-in that the policy allows.
MatrixCell Allowed(const Listener& listener, const Backend& backend, std::string_view name) {
  if (!IsBasic(name)) {
    const bool alone = backend.connect == ConnectAt::kLogin;
    return {alone ? Outcome::kBlocked : Outcome::kPassed, "", false};
  }
  if (listener.auth.to_backend != ToBackend::kSame) {
    return {Outcome::kRewritten, std::string(Name(listener.auth.to_backend)), false};
  }
  const bool exchange =
      backend.profile == Profile::kExchange55 || backend.profile == Profile::kExchange2003;
  if (!listener.auth.users.empty() || (exchange && !listener.auth.domain.empty())) {
    return {Outcome::kRewritten, "the same, as another user", false};
  }
  // No Exchange takes PLAIN (docs/profiles.md), and its profile hides it.
  if (exchange && name == "PLAIN") return {Outcome::kBlocked, "", false};
  return {Outcome::kPassed, "", false};
}

std::vector<std::string> RowsOf(const Listener& listener) {
  std::vector<std::string> names;
  for (std::string_view name : TableMechanisms()) {
    const bool fits = name != "APOP" || listener.protocol == Protocol::kPop3;
    if (fits && name != "*") names.emplace_back(name);
  }
  for (const auto& [name, rule] : listener.auth.mechanisms) {
    const bool fits = name != "APOP" || listener.protocol == Protocol::kPop3;
    const bool there = std::find(names.begin(), names.end(), name) != names.end();
    if (fits && !there && name != "*") names.push_back(name);
  }
  names.emplace_back("*");
  return names;
}

size_t WidthOf(const MatrixTable& table, std::string (*text)(const MatrixRow&),
               std::string_view head) {
  size_t width = head.size();
  for (const MatrixRow& row : table.rows) width = std::max(width, text(row).size());
  return width;
}

std::string Padded(std::string text, size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

std::string HeadOf(const MatrixTable& table) {
  std::string head = table.listener + ": " + std::string(Name(table.protocol)) + " at " +
                     table.address + ", tls " + std::string(Name(table.tls)) + ", backend " +
                     table.backend;
  if (table.connect == ConnectAt::kLogin) head += " (at_login)";
  return head + "\n";
}

std::string TextOf(const MatrixTable& table) {
  constexpr std::string_view kGap = "  ";
  const auto mechanism = [](const MatrixRow& row) { return row.mechanism; };
  const auto clear = [](const MatrixRow& row) { return row.clear.Text(); };
  const size_t first = WidthOf(table, mechanism, "mechanism");
  const size_t second = WidthOf(table, clear, "clear");
  std::string text = HeadOf(table);
  const auto line = [&](const std::string& a, const std::string& b, const std::string& c) {
    text.append(kGap).append(Padded(a, first)).append(kGap);
    text.append(Padded(b, second)).append(kGap).append(c).append("\n");
  };
  line("mechanism", "clear", "tls");
  for (const MatrixRow& row : table.rows) line(row.mechanism, row.clear.Text(), row.tls.Text());
  return text;
}

}  // namespace

std::string MatrixCell::Text() const {
  std::string text;
  switch (outcome) {
    case Outcome::kNone:
      return "-";
    case Outcome::kBlocked:
      text = "blocked";
      break;
    case Outcome::kPassed:
      text = "shown, passed";
      break;
    case Outcome::kRewritten:
      text = "shown, rewritten to " + to;
      break;
  }
  return observed ? text + ", observed" : text;
}

MatrixCell CellOf(const Listener& listener, const Backend& backend, std::string_view mechanism,
                  bool inside_tls) {
  if (!Reaches(listener.tls.mode, inside_tls)) return {};
  const std::string name = Upper(mechanism);
  // These two cannot pass at all: that is no matter of policy, and nothing to observe.
  if (CanNeverPass(name)) return {Outcome::kBlocked, "", false};
  const Rule rule = RuleFor(listener.auth, name);
  const bool allowed = rule == Rule::kAlways || (rule == Rule::kTls && inside_tls);
  const bool observing = listener.auth.enforce == Enforce::kObserve;
  if (!allowed && !observing) return {Outcome::kBlocked, "", false};
  MatrixCell cell = Allowed(listener, backend, name);
  cell.observed = !allowed && cell.outcome != Outcome::kBlocked;
  return cell;
}

std::vector<MatrixTable> MatrixOf(const Config& config) {
  std::vector<MatrixTable> tables;
  for (const Listener& listener : config.listeners) {
    const Backend& backend = config.backends[listener.backend];
    MatrixTable table{listener.name,
                      listener.protocol,
                      listener.address.Text(),
                      listener.tls.mode,
                      backend.name,
                      backend.connect,
                      {}};
    for (const std::string& name : RowsOf(listener)) {
      table.rows.push_back(
          {name, CellOf(listener, backend, name, false), CellOf(listener, backend, name, true)});
    }
    tables.push_back(std::move(table));
  }
  return tables;
}

std::string MatrixText(const std::vector<MatrixTable>& tables) {
  std::string text;
  for (const MatrixTable& table : tables) {
    if (!text.empty()) text += "\n";
    text += TextOf(table);
  }
  return text;
}

}  // namespace postern::conf
