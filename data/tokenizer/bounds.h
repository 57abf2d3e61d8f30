// What keeps a tokenizer.json that is not to be trusted from taking time and memory without end.
#pragma once

#include <cstddef>

namespace lk {

class JsonNode;

// The components of one field (normalizer, pre_tokenizer, ...), those inside sequences included:
// each is a call within the call of the one before.
class ComponentCount {
 public:
  // Error for more than 64 components, or for sequences nested more than 8 deep.
  void enter(const JsonNode& node, int depth);

 private:
  int count_ = 0;
};

// Error when a component of what kind makes more than 32 times as many bytes of a text, 64 kB free.
// (The most that real ones make is 22: U+FDFA decomposed to 18 letters, those written as bytes.)
void check_growth(const char* kind, size_t before, size_t now);

}  // namespace lk
