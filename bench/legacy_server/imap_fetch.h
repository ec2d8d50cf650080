// The items of an IMAP FETCH: parsed once, then written for each message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/legacy_server/output.h"
#include "bench/legacy_server/store.h"

namespace postern::legacy {

struct FetchItem {
  enum class Kind : uint8_t { kFlags, kUid, kSize, kDate, kEnvelope, kStructure, kSection };
  enum class Section : uint8_t { kWhole, kHeader, kFields, kFieldsNot, kText };

  explicit FetchItem(Kind what, std::string_view name = "") : kind(what), label(name) {}

  Kind kind;
  std::string label;  // what the answer calls it
  Section section = Section::kWhole;
  std::vector<std::string> fields;  // in capitals
  bool marks_seen = false;
  bool partial = false;
  uint64_t from = 0;
  uint64_t count = 0;
};

// Reads the items behind the sequence set, in parentheses or not. Nothing where one is unknown.
std::optional<std::vector<FetchItem>> ParseFetchItems(std::string_view text);

// Writes "NAME value" for one message, without copying its body.
void WriteFetchItem(const FetchItem& item, const Message& message, Output& out);

// "(\Seen \Deleted)".
void WriteFlags(uint32_t flags, Output& out);

// The flags in a list's text; unknown ones are left out.
uint32_t ParseFlags(std::string_view text);

}  // namespace postern::legacy
