// LoRA on a quantized base: the gradients are those on the same base held dense, and what an
// adapter remembers of its base.
#include <nlohmann/json.hpp>

#include "peft/adapter_files.h"
#include "quant/quantizer.h"
#include "tests/support.h"
#include "tests/tiny_models.h"
#include "tools/train/quant_options.h"

namespace lk::test {
namespace {

Settings small_qlora() {
  nlohmann::json values = nlohmann::json::object();
  for (const MethodOption& o : find_method("qlora").options)
    values[o.key] = nlohmann::json::parse(o.value);
  values["r"] = 2;
  return {values, "test"};
}

struct Trained {
  std::unique_ptr<Model> model;
  std::unique_ptr<Method> method;
  std::vector<Parameter*> parameters;
};

Trained make(const std::string& type, bool dense) {
  Trained t{tiny_model(type, DType::f64), find_method("qlora").make(small_qlora()), {}};
  quantize_linears(*t.model, Quantizer(QuantSpec{"nf4", 32, true}));
  if (dense) dequantize_linears(*t.model, DType::f64);
  t.method->attach(*t.model, 3);
  t.parameters = select_parameters(*t.model, *t.method);
  // B starts at zero, where A has no gradient.
  uint64_t seed = 9;
  for (Parameter* p : t.parameters)
    p->var = Var::leaf(random_tensor(p->shape, DType::f64, ++seed, 0.05));
  return t;
}

}  // namespace

TEST_CASE("qlora: the defaults of the paper, and LoRA's files") {
  const MethodInfo& info = find_method("qlora");
  const Settings s = small_qlora();
  CHECK(info.peft_type == "LORA");
  CHECK(info.base_quant == "nf4");
  CHECK(find_method("LORA").name == "lora");
  CHECK(s.number("lora_alpha", 0, 100) == 16);
  CHECK(s.text("target_modules") == "all-linear");
}

TEST_CASE("qlora: gradients against central differences, and those of the dense base") {
  const Packed batch = pack(random_documents({5, 7, 3}, 4));
  for (const std::string& type : tiny_types()) {
    CAPTURE(type);
    const Trained quantized = make(type, false), dense = make(type, true);
    CHECK(gradient_error(*quantized.model, batch, quantized.parameters) <= 1e-6);
    for (const Parameter* p : quantized.parameters) p->var.set_grad({});
    backward(loss_of(*quantized.model, batch));
    backward(loss_of(*dense.model, batch));
    REQUIRE(quantized.parameters.size() == dense.parameters.size());
    for (size_t i = 0; i < dense.parameters.size(); ++i) {
      const Tensor a = quantized.parameters[i]->var.grad(), b = dense.parameters[i]->var.grad();
      for (int64_t j = 0; j < a.numel(); ++j)
        CHECK(std::abs(a.item(j) - b.item(j)) <= 1e-9 * (1 + std::abs(b.item(j))));
    }
  }
}

TEST_CASE("qlora: an adapter remembers how its base was held") {
  const TempDir folder;
  Settings settings = small_qlora();
  QuantOptions options;
  options.type = "fp4";
  options.block_size = 128;
  options.double_quant = true;
  remember(settings, options);
  const auto model = tiny_model("llama", DType::f32);
  const auto method = find_method("qlora").make(settings);
  method->attach(*model, 1);
  select_parameters(*model, *method);
  save_adapter(folder.path(), *model, *method, find_method("qlora"), "base", {});
  const QuantOptions read = remembered(read_adapter_config(folder.path()).settings);
  CHECK(read.json() == options.json());
  CHECK(remembered(small_qlora()).type.empty());
  settings.set("lorikeet", {{"quant", {{"type", 4}}}});
  CHECK(error_of([&] { remembered(settings); }).find("lorikeet.quant") != std::string::npos);
}

}  // namespace lk::test
