// Reads and judges a configuration. Everything that is wrong with a file comes out of one run.
// Used at start, by `check`, and on the main thread at a reload; blocks on the file system.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"

namespace postern::conf {

struct LoadResult {
  std::optional<Config> config;   // only where no mistake is an error
  std::optional<Config> draft;    // only where one is: what could be read, good for nothing but to
                                  // look for more mistakes in it. Values that are wrong have their
                                  // defaults, and a listener may have no backend (kNoBackend)
  std::vector<Mistake> mistakes;  // errors and warnings, by their place in the file

  bool ok() const { return config.has_value(); }
};

// Listener::backend of a draft where none was found.
inline constexpr size_t kNoBackend = std::numeric_limits<size_t>::max();

inline constexpr size_t kMaxFileSize = 1024 * 1024;  // bytes of a configuration
inline constexpr size_t kMaxDepth = 16;              // of collections within collections
inline constexpr size_t kMaxNodes = 100'000;         // values, each time an alias brings them

// Files that it names are looked up from the folder that the configuration is in.
LoadResult Load(const std::string& file);

// The same for a text at hand. `file` is what mistakes call it, and its folder is where relative
// names are looked up. With `look_at_files` false no other file is touched.
LoadResult LoadFromString(std::string_view text, const std::string& file,
                          bool look_at_files = true);

}  // namespace postern::conf
