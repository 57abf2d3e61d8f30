// Unicode properties by version. The `tokenizers` package of Hugging Face, whose ids are to be met
// exactly, takes its tables from several libraries: Unicode 8 for BERT's rules, 9 for normalization
// forms and accents, 16 for regular expressions, 17 for digits. utf8proc has 14 or newer.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

namespace lk::unicode {

// The general category (utf8proc_category_t) as of Unicode 16, whatever utf8proc's version.
int category16(char32_t c);
// The ranges of a category ("L", "Lu"), of those only that differ between the versions 14 to 18.
std::vector<std::pair<char32_t, char32_t>> unsettled_ranges(std::string_view category);

// The properties of a code point that are not what category16 says, as bits.
enum Flip : int {
  kPunctuation8 = 1,  // P in Unicode 8
  kNonspacing8 = 2,   // Mn in Unicode 8
  kOther8 = 4,        // Cc, Cf or Co in Unicode 8
  kMark9 = 8,         // M in Unicode 9
  kNumber17 = 16,     // N in Unicode 17
  kInert = 32,        // takes no part in normalization in Unicode 9
};
int flips(char32_t c);

}  // namespace lk::unicode
