// The text of a task: "Review: {text}\nSentiment: {label}\n\n". One slot is the answer's; what
// stands before it is the prompt, what follows parts examples.
#pragma once

#include <string>
#include <vector>

#include "data/template_pieces.h"

namespace lk {

class PromptTemplate {
 public:
  // answer: the slot that the model fills ("label", "output"). {{ and }} stand for braces. Error
  // where a brace is open or the answer's slot does not occur exactly once.
  PromptTemplate(const std::string& text, const std::string& answer);

  std::string prompt(const Fields& fields) const;   // up to the answer; Error for an unknown slot
  std::string example(const Fields& fields) const;  // with the answer and what follows
  // What follows the answer: generated text ends where it begins.
  const std::string& after() const { return after_; }

 private:
  std::string fill(size_t parts, const Fields& fields) const;
  std::vector<TemplatePiece> parts_;
  size_t answer_ = 0;  // its place among the parts
  std::string after_;
};

}  // namespace lk
