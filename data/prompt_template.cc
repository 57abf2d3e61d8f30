#include "data/prompt_template.h"

#include "engine/error.h"

namespace lk {

PromptTemplate::PromptTemplate(const std::string& text, const std::string& answer) {
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) parts_.push_back({false, literal});
    literal.clear();
  };
  size_t answers = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c == '{' || c == '}') && i + 1 < text.size() && text[i + 1] == c) {
      literal += c;
      ++i;
    } else if (c == '{') {
      const size_t end = text.find('}', i);
      require(end != std::string::npos,
              "the template '{}' has a '{{' without '}}' at character {}; write '{{{{' for a brace",
              text, i + 1);
      flush();
      parts_.push_back({true, text.substr(i + 1, end - i - 1)});
      if (parts_.back().text == answer) {
        answer_ = parts_.size() - 1;
        ++answers;
      }
      i = end;
    } else {
      require(c != '}', "the template '{}' has a '}}' without '{{' at character {}", text, i + 1);
      literal += c;
    }
  }
  flush();
  require(answers == 1, "the template '{}' holds {{{}}} {} times; expected once, as the answer",
          text, answer, answers);
  require(answer_ > 0, "the template '{}' begins with the answer; nothing would ask for it", text);
  for (size_t p = answer_ + 1; p < parts_.size(); ++p) {
    require(!parts_[p].slot, "the template '{}' has the slot {{{}}} after the answer {{{}}}", text,
            parts_[p].text, answer);
    after_ += parts_[p].text;
  }
}

std::string PromptTemplate::fill(size_t parts, const Fields& fields) const {
  std::string out;
  for (size_t p = 0; p < parts; ++p) {
    if (!parts_[p].slot) {
      out += parts_[p].text;
      continue;
    }
    const auto found = fields.find(parts_[p].text);
    if (found == fields.end()) {
      std::string known;
      for (const auto& [name, value] : fields) known += (known.empty() ? "{" : ", {") + name + "}";
      fail("the template's slot {{{}}} is not known for this data; there are: {}", parts_[p].text,
           known);
    }
    out += found->second;
  }
  return out;
}

std::string PromptTemplate::prompt(const Fields& fields) const { return fill(answer_, fields); }

std::string PromptTemplate::example(const Fields& fields) const {
  return fill(answer_ + 1, fields) + after_;
}

}  // namespace lk
