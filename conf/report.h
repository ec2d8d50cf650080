// What is wrong with one configuration, collected while it is read. Private to conf/.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"
#include "conf/tree.h"

namespace postern::conf {

class Report {
 public:
  explicit Report(std::string file) : file_(std::move(file)) {}

  // A path is "listeners[1].tls"; the same line is kept only once.
  void Error(Position at, std::string path, std::string message);
  void Warning(Position at, std::string path, std::string message);

  bool has_errors() const { return has_errors_; }
  bool HasErrorAt(std::string_view path) const;
  // By place in the file; what stands at the same place keeps its order.
  std::vector<Mistake> Take();

 private:
  void Add(Mistake mistake);

  std::string file_;
  std::vector<Mistake> mistakes_;
  bool has_errors_ = false;
};

// The text in quotes for a message, or "this value" where it is long, has control characters, or
// may hold a secret (a PEM, a URL with a password): a mistake must never publish one.
std::string Quote(std::string_view text);

// ` (did you mean "x"?)` for the candidate that is one or a few typing mistakes away, else nothing.
std::string DidYouMean(std::string_view text, std::span<const std::string_view> candidates);

// "a, b, c".
std::string Join(std::span<const std::string_view> words);

// The positions of all values below `root` by path. Of a key given twice only the first counts,
// with all that is below it.
std::map<std::string, Position, std::less<>> PositionsOf(const Node& root);

}  // namespace postern::conf
