// A chat template, and what follows its first NUL, if there is one, as the variables (JSON).
#include "data/jinja/json.h"
#include "data/jinja/template.h"
#include "tests/fuzz/support.h"

namespace {

const std::string kVariables = R"({"messages": [
  {"role": "system", "content": "Be brief."},
  {"role": "user", "content": "Wo liegt Köln?"},
  {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "id": "a1b2c3d4e",
    "function": {"name": "find", "arguments": {"city": "Köln", "n": 2.5}}}]},
  {"role": "tool", "name": "find", "content": "<b>Rhine</b>", "tool_call_id": "a1b2c3d4e"},
  {"role": "assistant", "content": "<think>\nhm\n</think>\n\nOn the Rhine."},
  {"role": "user", "content": "Thanks!"}],
  "tools": [{"type": "function", "function": {"name": "find", "description": "finds",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}],
  "documents": null, "add_generation_prompt": true, "bos_token": "<s>", "eos_token": "</s>"})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lk;
  const std::string_view input = fuzz::text_of(data, size);
  const size_t end = std::min(input.find('\0'), input.size());
  const std::string_view json = end + 1 < size ? input.substr(end + 1) : kVariables;
  const fuzz::MemoryLimit limit(256 << 20);
  fuzz::accepts([&] {
    const jinja::Value variables = jinja::from_json(json, "variables");
    require(variables.dict() != nullptr, "the variables are no object");
    const jinja::Template chat(std::string(input.substr(0, end)), "chat_template");
    chat.render(*variables.dict(), {.steps = 200'000});
  });
  return 0;
}
