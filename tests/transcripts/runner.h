// Runs a transcript: whole (each run of lines from one side as one chunk), byte by byte, and at
// seeded random cuts. The outcome must be the same each time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "filters/filter.h"
#include "tests/transcripts/transcript.h"

namespace postern::testing {

using FilterMaker =
    std::function<std::unique_ptr<Filter>(const FilterOptions&, const SessionInfo&)>;

// Empty where the dialogue went as written, else a report for people: where, in which way of
// cutting, what was expected and what came.
std::string RunTranscript(const Transcript& transcript, const FilterMaker& make);

// An event as `note` lines spell it.
std::string Describe(const Event& event);

}  // namespace postern::testing
