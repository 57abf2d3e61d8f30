// An adapter's files: the base's letter (g, l or b), adapter_config.json, and what follows it as
// the tensors (see safetensors_of). The adapter is attached, and the model run once.
#include <optional>

#include "autograd/ops.h"
#include "engine/files/json.h"
#include "nn/load.h"
#include "peft/adapter_files.h"
#include "tests/fuzz/support.h"

namespace {

using namespace lk;

const Config& base(char letter) {
  static const auto read = [](const std::string& name) {
    return Config::load("tests/vectors/models/" + name);
  };
  static const Config gpt2 = read("gpt2"), llama = read("llama-gqa"),
                      bert = read("bert-classification");
  return letter == 'l' ? llama : letter == 'b' ? bert : gpt2;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view rest = fuzz::text_of(data, size).substr(1);
  const Config& config = base(static_cast<char>(data[0]));
  fuzz::write("adapter_config.json", fuzz::take_json(rest));
  const std::string tensors = fuzz::safetensors_of(rest);
  for (const char* name : {"adapter_model.safetensors", "adapter.safetensors"})
    fuzz::write(name, tensors);
  methods();  // their tables do not count
  std::optional<AdapterConfig> adapter;
  {
    const fuzz::MemoryLimit limit(64 * size + (256 << 10));
    if (!fuzz::accepts([&] { adapter = read_adapter_config(fuzz::folder()); })) return 0;
  }
  const auto model = make_model(config, task_of(config), DType::f32, 1);
  const fuzz::MemoryLimit limit(64 << 20);
  fuzz::accepts([&] {
    const auto method = load_adapter(fuzz::folder(), *adapter, *model);
    const NoGrad no_grad;
    const std::vector<int32_t> ids{5, 6, 7};
    ModelInput input{ids, {}};
    input.packing.offsets = {0, 3};
    input.packing.positions = {0, 1, 2};
    model->hidden(input);
  });
  return 0;
}
