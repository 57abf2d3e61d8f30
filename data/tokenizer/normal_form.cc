// Unicode normalization forms with the data of Unicode 9, as the reference has them: characters
// that came later are left alone.
#include <utf8proc.h>

#include <algorithm>
#include <vector>

#include "data/tokenizer/unicode.h"
#include "data/tokenizer/unicode_tables.h"

namespace lk::unicode {

namespace {

using Points = std::vector<utf8proc_int32_t>;

// The canonical combining class; 0: a starter.
int combining_class(utf8proc_int32_t c) {
  if (c < 0x300 || flips(static_cast<char32_t>(c)) & kInert) return 0;
  return utf8proc_get_property(c)->combining_class;
}

void append_decomposed(Points& out, char32_t c, bool compatible) {
  if (c < 0x80 || flips(c) & kInert) {
    out.push_back(static_cast<utf8proc_int32_t>(c));
    return;
  }
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                                      (compatible ? UTF8PROC_COMPAT : 0));
  utf8proc_int32_t parts[32];  // the longest decomposition has 18 code points
  int boundary = 0;
  const auto count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts, 32, options, &boundary);
  out.insert(out.end(), parts, parts + std::clamp<utf8proc_ssize_t>(count, 0, 32));
}

// Sorts the combining marks between starters by class. utf8proc_map would take quadratic time.
void order(Points& points) {
  for (auto run = points.begin(); run != points.end();) {
    if (combining_class(*run) == 0) {
      ++run;
      continue;
    }
    const auto end =
        std::find_if(run, points.end(), [](auto c) { return combining_class(c) == 0; });
    std::stable_sort(run, end,
                     [](auto a, auto b) { return combining_class(a) < combining_class(b); });
    run = end;
  }
}

// Composes every stretch between inert characters.
void compose(Points& points) {
  const auto inert = [](auto c) {
    return c >= 0x300 && (flips(static_cast<char32_t>(c)) & kInert);
  };
  Points out, stretch;
  for (auto at = points.begin(); at != points.end();) {
    const auto end = std::find_if(at, points.end(), inert);
    stretch.assign(at, end);
    stretch.push_back(0);  // room for the terminator that the call writes
    const auto count = utf8proc_normalize_utf32(
        stretch.data(), end - at,
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    out.insert(out.end(), stretch.begin(), stretch.begin() + std::max<ptrdiff_t>(count, 0));
    at = end;
    while (at != points.end() && inert(*at)) out.push_back(*at++);
  }
  points = std::move(out);
}

}  // namespace

std::string normal_form(std::string_view text, Form form) {
  // Below U+0300 nothing composes or moves, and below U+0080 nothing decomposes.
  const auto highest = static_cast<unsigned char>(form == Form::kNfc ? 0xCC : 0x80);
  if (std::all_of(text.begin(), text.end(),
                  [&](char c) { return static_cast<unsigned char>(c) < highest; }))
    return std::string(text);
  Points points;
  points.reserve(text.size() + 1);
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_at(text, at);
    append_decomposed(points, c.value, form == Form::kNfkc || form == Form::kNfkd);
    at += c.length;
  }
  order(points);
  if (form == Form::kNfc || form == Form::kNfkc) compose(points);
  std::string out;
  out.reserve(text.size());
  for (const auto c : points) append(out, static_cast<char32_t>(c));
  return out;
}

}  // namespace lk::unicode
