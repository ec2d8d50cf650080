#include "conf/report.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <set>
#include <tuple>

namespace postern::conf {
namespace {

constexpr size_t kMaxQuoted = 80;
// Comparing is quadratic; no word of the configuration is nearly as long.
constexpr size_t kMaxCompared = 40;

char Lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

// Insertions, deletions, replacements and swaps of neighbours that lead from one to the other,
// without regard to case.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = last[j - 1] + (Lower(a[i - 1]) == Lower(b[j - 1]) ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && Lower(a[i - 1]) == Lower(b[j - 2]) &&
                           Lower(a[i - 2]) == Lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

void Walk(const Node& node, const std::string& path,
          std::map<std::string, Position, std::less<>>& positions) {
  positions.try_emplace(path, node.at);
  for (size_t i = 0; i < node.items.size(); ++i) {
    Walk(node.items[i], path + "[" + std::to_string(i) + "]", positions);
  }
  std::set<std::string_view> seen;
  for (const Node::Entry& entry : node.pairs) {
    if (!seen.insert(entry.key).second) continue;
    Walk(entry.value, path.empty() ? entry.key : path + "." + entry.key, positions);
  }
}

}  // namespace

void Report::Error(Position at, std::string path, std::string message) {
  has_errors_ = true;
  Add({Mistake::Severity::kError, file_, at, std::move(path), std::move(message)});
}

void Report::Warning(Position at, std::string path, std::string message) {
  Add({Mistake::Severity::kWarning, file_, at, std::move(path), std::move(message)});
}

bool Report::HasErrorAt(std::string_view path) const {
  return std::any_of(mistakes_.begin(), mistakes_.end(), [path](const Mistake& m) {
    return m.severity == Mistake::Severity::kError && m.path == path;
  });
}

void Report::Add(Mistake mistake) { mistakes_.push_back(std::move(mistake)); }

std::vector<Mistake> Report::Take() {
  std::stable_sort(mistakes_.begin(), mistakes_.end(),
                   [](const Mistake& a, const Mistake& b) { return a.at < b.at; });
  std::vector<Mistake> kept;
  for (Mistake& mistake : mistakes_) {
    // The same line has the same place, so it is among the last ones.
    auto same = kept.rbegin();
    while (same != kept.rend() && same->at == mistake.at && same->Text() != mistake.Text()) ++same;
    const bool known = same != kept.rend() && same->at == mistake.at;
    if (!known) kept.push_back(std::move(mistake));
  }
  mistakes_.clear();
  return kept;
}

std::string Quote(std::string_view text) {
  const bool risky = text.size() > kMaxQuoted || text.find("-----") != std::string_view::npos ||
                     text.find('@') != std::string_view::npos ||
                     std::any_of(text.begin(), text.end(), [](char c) {
                       const auto byte = static_cast<unsigned char>(c);
                       return byte < ' ' || byte == 127;
                     });
  return risky ? std::string("this value") : "\"" + std::string(text) + "\"";
}

std::string DidYouMean(std::string_view text, std::span<const std::string_view> candidates) {
  if (text.size() > kMaxCompared) return "";
  std::string_view best;
  size_t best_distance = std::max<size_t>(1, text.size() / 3) + 1;
  bool alone = true;  // of several that are as near, none is likelier
  for (std::string_view candidate : candidates) {
    if (candidate.size() > kMaxCompared) continue;
    const size_t distance = Distance(text, candidate);
    // One typing mistake turns any letter into any other: of such a short word nothing is left.
    if (distance > best_distance || distance >= candidate.size()) continue;
    alone = distance < best_distance;
    if (!alone) continue;
    best = candidate;
    best_distance = distance;
  }
  if (best.empty() || !alone) return "";
  return " (did you mean \"" + std::string(best) + "\"?)";
}

std::string Join(std::span<const std::string_view> words) {
  std::string joined;
  for (std::string_view word : words) {
    if (!joined.empty()) joined += ", ";
    joined += word;
  }
  return joined;
}

std::map<std::string, Position, std::less<>> PositionsOf(const Node& root) {
  std::map<std::string, Position, std::less<>> positions;
  Walk(root, "", positions);
  positions.erase("");
  return positions;
}

}  // namespace postern::conf
