#include "data/text_stream.h"

#include <algorithm>

#include "engine/error.h"

namespace lk {
namespace {

// U+FFFD: what decoding gives for bytes that are no character, yet.
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// How much of the text is neither half a character nor perhaps the beginning of a stop string.
size_t safe_end(std::string_view text, const std::vector<std::string>& stops) {
  while (text.ends_with(kReplacement)) text.remove_suffix(kReplacement.size());
  size_t held = 0;
  for (const std::string& stop : stops)
    for (size_t n = std::min(stop.size(), text.size()); n > held; --n)
      if (text.ends_with(std::string_view(stop).substr(0, n))) held = n;
  return text.size() - held;
}

}  // namespace

TextStream::TextStream(const Tokenizer& tokenizer, std::vector<std::string> stops)
    : tokenizer_(tokenizer), stops_(std::move(stops)) {
  for (const std::string& stop : stops_) require(!stop.empty(), "a stop string is empty");
}

std::string TextStream::show(const std::string& text, size_t end) {
  if (end <= shown_) return {};
  std::string out = text.substr(shown_, end - shown_);
  shown_ = end;
  return out;
}

std::string TextStream::push(TokenId id) {
  if (stopped_) return {};
  ids_.push_back(id);
  const std::string text = tokenizer_.decode(ids_);
  size_t first = std::string::npos;
  for (const std::string& stop : stops_) first = std::min(first, text.find(stop));
  stopped_ = first != std::string::npos;
  return show(text, stopped_ ? first : safe_end(text, stops_));
}

std::string TextStream::finish() {
  if (stopped_) return {};
  const std::string text = tokenizer_.decode(ids_);
  return show(text, text.size());
}

}  // namespace lk
