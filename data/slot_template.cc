#include "data/slot_template.h"

#include <algorithm>
#include <cctype>

#include "engine/error.h"

namespace lk {
namespace {

constexpr const char* kMask = "[MASK]";

bool is_blank(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

// Ends of whole characters of UTF-8, 0 first.
std::vector<size_t> character_ends(const std::string& text) {
  std::vector<size_t> ends{0};
  for (size_t i = 1; i <= text.size(); ++i)
    if (i == text.size() || (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) ends.push_back(i);
  return ends;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

}  // namespace

SlotTemplate::SlotTemplate(const std::string& text) : source_(text) {
  std::string literal;
  const auto add = [&](Part part) {
    if (!literal.empty()) parts_.push_back({Kind::literal, literal});
    literal.clear();
    parts_.push_back(std::move(part));
  };
  for (const TemplatePiece& piece : split_template(text)) {
    if (piece.slot) {
      add({Kind::field, piece.text});
      continue;
    }
    const std::string& words = piece.text;
    for (size_t i = 0; i < words.size();) {
      if (words.compare(i, 6, kMask) == 0) {
        require(!has_mask_, "the template '{}' holds [MASK] twice; one token is told", text);
        has_mask_ = true;
        add({Kind::mask, ""});
        i += 6;
      } else if (words.compare(i, 3, "[P]") == 0) {
        const size_t begin = i;
        i += 3;
        int64_t count = 1;
        if (i < words.size() && words[i] == '*') {
          count = 0;
          for (++i; i < words.size() && std::isdigit(static_cast<unsigned char>(words[i])); ++i)
            count = std::min<int64_t>(count * 10 + (words[i] - '0'), 1 << 20);
          require(count > 0,
                  "the template '{}' has '[P]*' without a number above 0 at character {}", text,
                  piece.at + begin + 1);
        }
        add({Kind::virtual_tokens, "", count});
        virtual_tokens_ += count;
      } else {
        literal += words[i++];
      }
    }
  }
  if (!literal.empty()) parts_.push_back({Kind::literal, literal});
  require(!parts_.empty(), "the template is empty");
}

std::string SlotTemplate::text(const Fields& fields) const {
  std::string out;
  for (const Part& p : parts_) {
    if (p.kind == Kind::literal) out += p.text;
    if (p.kind == Kind::field) out += filling(fields, p.text);
    if (p.kind == Kind::mask) out += kMask;
  }
  const size_t begin = out.find_first_not_of(" \n");
  return begin == std::string::npos ? "" : out.substr(begin);
}

bool SlotTemplate::blank_before_mask(const Fields& fields) const {
  bool blank = false;
  for (const Part& p : parts_) {
    if (p.kind == Kind::mask) return blank;
    if (p.kind == Kind::virtual_tokens) {
      blank = true;
      continue;
    }
    const std::string& text = p.kind == Kind::literal ? p.text : filling(fields, p.text);
    const size_t at = has_mask_ ? std::string::npos : text.find(kMask);
    if (at != std::string::npos) return at > 0 ? is_blank(text[at - 1]) : blank;
    if (!text.empty()) blank = is_blank(text.back());
  }
  return blank;
}

SlotText SlotTemplate::encode_whole(const Tokenizer& tokenizer, const Fields& fields,
                                    const std::string& mask) const {
  SlotText out;
  const auto mask_id = mask.empty() ? std::nullopt : tokenizer.token_id(mask);
  int64_t masks = 0, next_slot = 0;
  std::string run;  // what is tokenised together
  const auto flush = [&] {
    while (!run.empty() && is_blank(run.back())) run.pop_back();
    for (const int32_t id : tokenizer.encode(run, false)) {
      if (mask_id && id == *mask_id) {
        ++masks;
        out.mask = static_cast<int64_t>(out.ids.size());
      }
      out.ids.push_back(id);
      out.slots.push_back(-1);
    }
    run.clear();
  };
  for (const Part& p : parts_) {
    if (p.kind == Kind::literal) run += p.text;
    if (p.kind == Kind::field)
      run += mask.empty() || has_mask_ ? filling(fields, p.text)
                                       : replaced(filling(fields, p.text), kMask, mask);
    if (p.kind == Kind::mask) run += mask;
    if (p.kind != Kind::virtual_tokens) continue;
    flush();
    for (int64_t i = 0; i < p.count; ++i) {
      out.ids.push_back(0);  // its embedding is not read
      out.slots.push_back(static_cast<int32_t>(next_slot++));
    }
  }
  flush();
  require(mask.empty() || masks == 1,
          "the text holds the mask {} times, expected once: '{}' (template '{}')", masks,
          text(fields).substr(0, 200), source_);
  // Special tokens stand around the text; it is found again as one run.
  Encoding whole = tokenizer.assemble(out.ids, std::nullopt, true);
  const auto at = std::search(whole.ids.begin(), whole.ids.end(), out.ids.begin(), out.ids.end());
  require(at != whole.ids.end() || out.ids.empty(),
          "the tokenizer's post-processor takes the text apart");
  const auto before = at - whole.ids.begin();
  out.slots.insert(out.slots.begin(), static_cast<size_t>(before), -1);
  out.slots.resize(whole.ids.size(), -1);
  if (out.mask >= 0) out.mask += before;
  if (virtual_tokens_ == 0) out.slots.clear();
  out.ids = std::move(whole.ids);
  out.type_ids = std::move(whole.type_ids);
  return out;
}

SlotText SlotTemplate::encode(const Tokenizer& tokenizer, const Fields& fields,
                              const std::string& mask, int64_t limit) const {
  require(mask.empty() || has_mask_ ||
              std::any_of(parts_.begin(), parts_.end(),
                          [](const Part& p) { return p.kind == Kind::field; }),
          "the template '{}' has no [MASK]", source_);
  SlotText whole = encode_whole(tokenizer, fields, mask);
  const auto fits = [&](const SlotText& text) {
    return limit <= 0 || static_cast<int64_t>(text.ids.size()) <= limit;
  };
  Fields cut = fields;
  while (!fits(whole)) {
    std::string* longest = nullptr;
    for (const Part& p : parts_) {
      if (p.kind != Kind::field) continue;
      std::string& text = cut[p.text];
      if (!longest || text.size() > longest->size()) longest = &text;
    }
    require(longest && !longest->empty(),
            "the template '{}' has {} tokens without any text, more than the {} allowed", source_,
            whole.ids.size(), limit);
    // The most characters that fit, by halving; none when the others are too long still.
    const std::string text = *longest;
    const std::vector<size_t> ends = character_ends(text);
    size_t low = 0, high = ends.size() - 1;
    while (low + 1 < high) {
      const size_t middle = (low + high) / 2;
      *longest = text.substr(0, ends[middle]);
      (fits(encode_whole(tokenizer, cut, mask)) ? low : high) = middle;
    }
    *longest = text.substr(0, ends[low]);
    whole = encode_whole(tokenizer, cut, mask);
  }
  return whole;
}

std::string mask_token(const Tokenizer& tokenizer) {
  for (const char* token : {"[MASK]", "<mask>"})
    if (tokenizer.token_id(token)) return token;
  fail("the tokenizer has no mask token ([MASK] or <mask>): is it of a masked language model?");
}

}  // namespace lk
