// The command lines of the programs in bench/: options in any order, each with at most one value.
#pragma once

#include <charconv>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace postern {

class OptionReader {
 public:
  using Table = std::map<std::string_view, std::function<void()>>;

  // What is wrong goes to `error`, which is empty while all is well.
  OptionReader(int argc, char** argv, std::string& error)
      : words_(argv + (argc > 0 ? 1 : 0), argv + argc), error_(error) {}

  // Calls for each word what stands for it in the table, up to the first mistake.
  void Run(const Table& table) {
    while (next_ < words_.size() && error_.empty()) {
      option_ = words_[next_++];
      const auto handler = table.find(option_);
      if (handler == table.end()) return Fail("unknown option " + std::string(option_));
      handler->second();
    }
  }

  // For the handlers: the value behind the option.
  std::string_view Value() {
    if (next_ < words_.size()) return words_[next_++];
    Fail(std::string(option_) + " needs a value");
    return "";
  }
  template <typename Number>
  void SetNumber(Number& target) {
    const std::string_view text = Value();
    if (!error_.empty()) return;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), target);
    if (failure != std::errc() || end != text.data() + text.size() || target < 0) {
      Fail(std::string(option_) + " needs a number, not " + std::string(text));
    }
  }
  std::string_view option() const { return option_; }
  void Fail(std::string why) { error_ = std::move(why); }

 private:
  std::vector<std::string_view> words_;
  size_t next_ = 0;
  std::string_view option_;
  std::string& error_;
};

}  // namespace postern
