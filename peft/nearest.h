// Names that a misspelt one may have meant.
#pragma once

#include <string>
#include <vector>

namespace lk {

// The candidates that are nearest to `wanted` (Levenshtein), nearest first, as "a, b, c"; at most
// `count` (0: all).
std::string nearest(const std::string& wanted, std::vector<std::string> candidates,
                    size_t count = 5);

}  // namespace lk
