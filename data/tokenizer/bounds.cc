#include "data/tokenizer/bounds.h"

#include "data/tokenizer/json_node.h"

namespace lk {

void ComponentCount::enter(const JsonNode& node, int depth) {
  constexpr int kMost = 64, kDeepest = 8;
  if (depth > kDeepest) node.fail("sequences are nested too deeply (at most {})", kDeepest);
  if (++count_ > kMost) node.fail("more than {} components are not supported", kMost);
}

void check_growth(const char* kind, size_t before, size_t now) {
  constexpr size_t kMost = 32, kFree = 64 << 10;
  require(now <= kFree || now / kMost <= before,
          "the {} of the tokenizer makes a text of {} bytes grow beyond {}", kind, before,
          kMost * before + kFree);
}

}  // namespace lk
