// The text of a record with places in it: "{text_a} ? [MASK] , {text_b}" or "[P]*3 {subject} [P]*3
// [MASK]". {name}: a field of the record; [MASK]: what a masked language model is to tell; [P],
// [P]*n: virtual tokens (Liu et al. 2021, arXiv:2103.10385). {{ and }} stand for braces.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/template_pieces.h"
#include "data/tokenizer/tokenizer.h"

namespace lk {

// A record's tokens. slots: the number of the virtual token that stands at each place, -1 for none;
// empty for a template without virtual tokens. mask: the place of the mask, -1 without.
struct SlotText {
  std::vector<int32_t> ids, type_ids, slots;
  int64_t mask = -1;
};

class SlotTemplate {
 public:
  explicit SlotTemplate(const std::string& text);  // Error where a brace is open

  int64_t virtual_tokens() const { return virtual_tokens_; }
  bool has_mask() const { return has_mask_; }

  // For people: virtual tokens left out, the mask as [MASK]. Error for an unknown field.
  std::string text(const Fields& fields) const;
  // Whether a word in the mask's place has a blank before it, or a virtual token.
  bool blank_before_mask(const Fields& fields) const;

  // With the special tokens of the model. mask: the tokenizer's token; "": then a mask is not
  // looked for. Without [MASK] in the template a field may hold it. limit > 0: fields give up their
  // ends, the longest first, until so many tokens are left; Error when the template alone has more.
  // Error for an unknown field, and for a text that holds no mask or two.
  SlotText encode(const Tokenizer& tokenizer, const Fields& fields, const std::string& mask,
                  int64_t limit = 0) const;

 private:
  enum class Kind : uint8_t { literal, field, mask, virtual_tokens };
  struct Part {
    Kind kind;
    std::string text;   // of a literal; a field's name
    int64_t count = 0;  // of virtual tokens
  };
  SlotText encode_whole(const Tokenizer& tokenizer, const Fields& fields,
                        const std::string& mask) const;
  std::string source_;
  std::vector<Part> parts_;
  int64_t virtual_tokens_ = 0;
  bool has_mask_ = false;
};

// The tokenizer's mask token: "[MASK]" or "<mask>"; Error when it has none.
std::string mask_token(const Tokenizer& tokenizer);

}  // namespace lk
