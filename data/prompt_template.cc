#include "data/prompt_template.h"

#include "engine/error.h"

namespace lk {

PromptTemplate::PromptTemplate(const std::string& text, const std::string& answer) {
  size_t answers = 0;
  for (TemplatePiece& piece : split_template(text)) {
    if (piece.slot && piece.text == answer) {
      answer_ = parts_.size();
      ++answers;
    }
    parts_.push_back(std::move(piece));
  }
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
  for (size_t p = 0; p < parts; ++p)
    out += parts_[p].slot ? filling(fields, parts_[p].text) : parts_[p].text;
  return out;
}

std::string PromptTemplate::prompt(const Fields& fields) const { return fill(answer_, fields); }

std::string PromptTemplate::example(const Fields& fields) const {
  return fill(answer_ + 1, fields) + after_;
}

}  // namespace lk
