#include "data/jinja/source.h"

#include "engine/error.h"

namespace lk::jinja {

void Source::fail_at(int32_t line, const std::string& message) const {
  constexpr size_t kShown = 200;
  size_t begin = 0;
  for (int32_t n = 1; n < line && begin < text.size(); ++n)
    begin = std::min(text.find('\n', begin), text.size() - 1) + 1;
  std::string shown = text.substr(begin, text.find('\n', begin) - begin);
  shown.erase(0, std::min(shown.find_first_not_of(" \t"), shown.size()));
  if (shown.size() > kShown) {
    size_t end = kShown;
    while (end > 0 && (static_cast<unsigned char>(shown[end]) & 0xC0) == 0x80) --end;
    shown = shown.substr(0, end) + " ...";
  }
  fail("chat template {}:{}: {}\n    {}", name, line, message, shown);
}

}  // namespace lk::jinja
