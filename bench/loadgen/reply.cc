#include "bench/loadgen/reply.h"

#include <algorithm>
#include <charconv>

namespace postern::loadgen {
namespace {

// The size in {n} at the end of an IMAP line; 0 where there is none.
uint64_t LiteralSize(std::string_view line) {
  if (!line.ends_with("}\r\n")) return 0;
  size_t open = line.rfind('{');
  uint64_t size = 0;
  if (open == std::string_view::npos) return 0;
  std::from_chars(line.data() + open + 1, line.data() + line.size(), size);
  return size;
}

bool IsRefusal(std::string_view line) {
  return line.starts_with("-ERR") || line.starts_with("* BYE") || line.starts_with('4') ||
         line.starts_with('5');
}

}  // namespace

void ReplyReader::Expect(Reply reply) {
  reply_ = reply;
  line_.clear();
  skip_ = 0;
  in_body_ = false;
  body_tail_ = "\r\n";
}

ReplyReader::Status ReplyReader::Feed(std::string_view& input) {
  while (!input.empty()) {
    if (in_body_) return FeedBody(input);
    if (skip_ > 0) {
      size_t step = std::min<uint64_t>(skip_, input.size());
      input.remove_prefix(step);
      skip_ -= step;
      continue;
    }
    size_t end = input.find('\n');
    bool complete = end != std::string_view::npos;
    std::string_view line = complete ? input.substr(0, end + 1) : input;
    input.remove_prefix(line.size());
    if (!complete || !line_.empty()) {
      line_.append(line);
      if (!complete) return line_.size() > kMaxLine ? Status::kRefused : Status::kMore;
      line = line_;
    }
    Status status = OnLine(line);
    line_.clear();
    if (status != Status::kMore) return status;
  }
  return Status::kMore;
}

ReplyReader::Status ReplyReader::OnLine(std::string_view line) {
  switch (reply_) {
    case Reply::kLine:
      return IsRefusal(line) ? Status::kRefused : Status::kDone;
    case Reply::kPlus:
      return line.starts_with('+') ? Status::kDone : Status::kRefused;
    case Reply::kTagged:
      skip_ = LiteralSize(line);
      if (!line.starts_with("a ")) return Status::kMore;
      return line.starts_with("a OK") ? Status::kDone : Status::kRefused;
    case Reply::kMultiline:
      in_body_ = true;
      return IsRefusal(line) ? Status::kRefused : Status::kMore;
    case Reply::kSmtp:
      if (line.size() > 3 && line[3] == '-') return Status::kMore;
      return IsRefusal(line) ? Status::kRefused : Status::kDone;
  }
  return Status::kRefused;
}

// Nothing is asked for before the reply has ended, so its end is the end of what has come.
ReplyReader::Status ReplyReader::FeedBody(std::string_view& input) {
  constexpr std::string_view kEnd = "\r\n.\r\n";
  body_tail_.append(input.substr(input.size() - std::min(input.size(), kEnd.size())));
  body_tail_.erase(0, body_tail_.size() - std::min(body_tail_.size(), kEnd.size()));
  input = {};
  return body_tail_ == kEnd ? Status::kDone : Status::kMore;
}

}  // namespace postern::loadgen
