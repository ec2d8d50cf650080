// A typed view of one mapping of the file: asked for its keys one after the other, it lays what is
// there over what a struct already holds, says what is wrong with it, and at the end complains
// about keys that nobody asked for. Private to conf/.
//
//   Reader reader(node, "health", report);
//   reader.Value("interval", health.interval, ParseTimeout);
//   reader.Done();
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conf/report.h"
#include "conf/scalars.h"
#include "conf/tree.h"
#include "conf/words.h"

namespace postern::conf {

// "listeners[1]" and "tls" make "listeners[1].tls".
std::string Under(std::string_view path, std::string_view key);

// The text of a scalar; an error and nullptr for everything else. `path` names the value.
const std::string* TextOf(const Node& node, const std::string& path, Report& report);

// One value by its parser, as a statement about it: `"30" needs a unit: ms, s, m or h`.
template <typename T, typename Parse>
bool ReadScalar(const Node& node, const std::string& path, Report& report, T& out, Parse parse) {
  const std::string* text = TextOf(node, path, report);
  if (text == nullptr) return false;
  auto parsed = parse(std::string_view(*text));
  if (!parsed) {
    report.Error(node.at, path, Quote(*text) + " " + parsed.error);
    return false;
  }
  out = std::move(*parsed.value);
  return true;
}

// One of the words of an enum. `noun` is what a wrong one is called: `unknown mode "x"; one of: …`.
template <typename Enum>
bool ReadWord(const Node& node, const std::string& path, Report& report, std::string_view noun,
              Enum& out, bool (*matches)(std::string_view, std::string_view)) {
  const std::string* text = TextOf(node, path, report);
  if (text == nullptr) return false;
  const std::span<const std::string_view> words(Words<Enum>::kList);
  for (size_t i = 0; i < words.size(); ++i) {
    if (!matches(words[i], *text)) continue;
    out = static_cast<Enum>(i);
    return true;
  }
  report.Error(node.at, path,
               "unknown " + std::string(noun) + " " + Quote(*text) + "; one of: " + Join(words) +
                   DidYouMean(*text, words));
  return false;
}

// How a word of the file is held against one of an enum. Words of the configuration are written as
// they are listed, but for the Booleans that YAML tools make of on and off.
bool SameWord(std::string_view word, std::string_view text);
// Names that are no invention of ours (mechanisms) compare without case.
bool SameName(std::string_view word, std::string_view text);

class Reader {
 public:
  // A node that is no mapping is an error, and every key of it is absent; nothing at all (`auth:`
  // and only comments below) is an empty mapping.
  Reader(const Node& node, std::string path, Report& report);

  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // The value of a key; null where it is not there.
  const Node* Find(std::string_view key);
  bool Has(std::string_view key) { return Find(key) != nullptr; }
  // The same for a key that has to be there: without it there is an error.
  const Node* Need(std::string_view key);

  // Each leaves `out` alone where the key is absent or its value wrong, and gives true where `out`
  // was set.
  template <typename T, typename Parse>
  bool Value(std::string_view key, T& out, Parse parse) {
    const Node* node = Find(key);
    return node != nullptr && ReadScalar(*node, PathTo(key), report_, out, parse);
  }
  template <typename Enum>
  bool Word(std::string_view key, std::string_view noun, Enum& out) {
    const Node* node = Find(key);
    return node != nullptr && ReadWord(*node, PathTo(key), report_, noun, out, SameWord);
  }
  template <typename Enum>
  bool WordOfAnyCase(std::string_view key, std::string_view noun, Enum& out) {
    const Node* node = Find(key);
    return node != nullptr && ReadWord(*node, PathTo(key), report_, noun, out, SameName);
  }

  using OnItem = std::function<void(const Node& item, const std::string& path)>;
  // Every element of a list; an error for a value that is none. True where the key is there and
  // right, an empty list included.
  bool Each(std::string_view key, const OnItem& on_item);

  using OnPair = std::function<void(const Node::Entry& entry, const std::string& path)>;
  // Every pair of this mapping, for mappings whose keys are names. Keys given twice were reported.
  void EachPair(const OnPair& on_pair);

  // Complains about the keys that were not asked for. To be called once, last.
  void Done();

  std::string PathTo(std::string_view key) const { return Under(path_, key); }
  const std::string& path() const { return path_; }
  Position at() const { return node_.at; }

 private:
  // Fills `entries_`; the first of a key given twice counts.
  void Index();

  const Node& node_;
  std::string path_;
  Report& report_;
  std::map<std::string_view, const Node::Entry*> entries_;
  std::vector<std::string_view> asked_;
};

}  // namespace postern::conf
