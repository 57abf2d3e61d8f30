// Prefix tuning, prompt tuning and P-tuning: the folders of HF PEFT, and what they promise on their
// own.
#include <doctest/doctest.h>

#include <regex>

#include "autograd/ops.h"
#include "nn/generate.h"
#include "tests/peft/adapter_case.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

using test::max_difference;
using test::max_magnitude;

// Without its encoder, a prompt is its values: their gradient is that of the encoder's last bias
// before it is summed over the virtual tokens.
void check_last_bias(const Tensor& g, const SafetensorsFile& vectors) {
  for (const char* bias : {"transform.2", "mlp_head.4", "mlp_head.2"}) {
    const std::string key = std::string("grad.prompt_encoder.default.") + bias + ".bias";
    if (!vectors.has(key) || vectors.get(key).numel() != g.dim(1)) continue;
    const Tensor expected = vectors.get(key), total = Tensor::zeros({g.dim(1)}, DType::f32);
    for (int64_t i = 0; i < g.numel(); ++i)
      total.data<float>()[i % g.dim(1)] += static_cast<float>(g.item(i));
    CHECK(max_difference(total, expected) <= 2e-3 * max_magnitude(expected));
    return;
  }
  FAIL_CHECK("no gradient to compare with");
}

void check_case(const std::filesystem::path& folder, const std::filesystem::path& base) {
  CAPTURE(folder.string());
  test::AdapterCase c = test::open_adapter_case(folder, base);
  CHECK(test::logits_error(c) <= 2e-4);
  CHECK(test::loss_error(c) <= 1e-5);
  CHECK(test::rewritten_difference(c) == "");
  for (const auto& gradient : test::file_gradients(c)) {
    const std::string& key = gradient.first;
    const Tensor& g = gradient.second;
    CAPTURE(key);
    const std::string direct = "grad.prompt_encoder.default.embedding.weight",
                      head = "grad.base_model.classifier.modules_to_save.default" +
                             key.substr(std::min(key.rfind('.'), key.size()));
    const bool prompt = key == "prompt_embeddings";
    if (prompt && c.vectors->names().size() > 0 && c.vectors->get(direct).shape() == g.shape() &&
        !c.vectors->has("grad.prompt_encoder.default.mlp_head.0.weight")) {
      const Tensor expected = c.vectors->get(direct);
      CHECK(max_difference(g, expected) <= 2e-3 * max_magnitude(expected));
    } else if (prompt) {
      check_last_bias(g, *c.vectors);
    } else {
      REQUIRE(c.vectors->has(head));
      const Tensor expected = c.vectors->get(head);
      CHECK(max_difference(g, expected) <= 2e-3 * max_magnitude(expected));
    }
  }
}

TEST_CASE("prefixes and prompts as HF PEFT saved them, and those that encoders made") {
  const std::regex kinds("(prefix|prompt|prefix-mlp|ptuning-mlp|ptuning-lstm)-(gpt2|llama|bert)");
  int cases = 0;
  for (const test::OracleCase& c : test::oracle_cases("peft"))
    if (std::regex_match(c.name, kinds)) check_case(c.folder, c.base), ++cases;
  CHECK(cases >= 6);
}

}  // namespace
}  // namespace lk
