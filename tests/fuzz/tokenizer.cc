// A tokenizer.json, and what follows it as the text to encode and decode.
#include "data/tokenizer/tokenizer.h"
#include "tests/fuzz/support.h"

namespace {

std::optional<lk::Tokenizer> load(std::string_view json) {
  const lk::fuzz::MemoryLimit limit(64 * json.size() + (64 << 10));
  std::optional<lk::Tokenizer> out;
  lk::fuzz::accepts([&] { out = lk::Tokenizer::from_json(std::string(json), "tokenizer.json"); });
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lk;
  std::string_view text = fuzz::text_of(data, size);
  const std::string_view json = fuzz::take_json(text);
  const auto tokenizer = load(json);
  if (!tokenizer) return 0;
  const fuzz::MemoryLimit limit(64 << 20);
  for (const std::string_view t : {text, std::string_view("a B\xC3\xA9 1\xE2\x96\x81 \n'll x")})
    fuzz::accepts([&] {
      const std::vector<TokenId> ids = tokenizer->encode(t);
      fuzz::accepts([&] { tokenizer->decode(ids, true); });
      fuzz::accepts([&] { tokenizer->decode(ids, false); });
      fuzz::accepts([&] { tokenizer->encode_pair(t, "b", false); });
      if (tokenizer->truncation())
        fuzz::accepts([&] { tokenizer->encode_truncated(t, "b", *tokenizer->truncation()); });
    });
  return 0;
}
