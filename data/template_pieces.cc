#include "data/template_pieces.h"

#include <algorithm>

#include "engine/error.h"

namespace lk {

std::vector<TemplatePiece> split_template(const std::string& text) {
  std::vector<TemplatePiece> out;
  for (size_t i = 0; i < text.size();) {
    const size_t brace = std::min(text.find_first_of("{}", i), text.size());
    if (brace > i) out.push_back({false, text.substr(i, brace - i), i});
    if (brace == text.size()) break;
    i = brace + 1;
    if (i < text.size() && text[i] == text[brace]) {
      out.push_back({false, text.substr(brace, 1), brace});
      ++i;
      continue;
    }
    require(text[brace] != '}', "the template '{}' has a '}}' without '{{' at character {}", text,
            i);
    const size_t end = text.find('}', i);
    require(end != std::string::npos,
            "the template '{}' has a '{{' without '}}' at character {}; write '{{{{' for a brace",
            text, i);
    out.push_back({true, text.substr(i, end - i), brace});
    i = end + 1;
  }
  return out;
}

const std::string& filling(const Fields& fields, const std::string& slot) {
  const auto found = fields.find(slot);
  if (found != fields.end()) return found->second;
  std::string known;
  for (const auto& [name, text] : fields) known += (known.empty() ? "{" : ", {") + name + "}";
  fail("the template's slot {{{}}} is not known for this data; there are: {}", slot, known);
}

}  // namespace lk
