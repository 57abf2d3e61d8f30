// A model's config.json, down to the model it describes, without weights, for every task.
#include "nn/config.h"

#include "nn/load.h"
#include "tests/fuzz/support.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lk;
  const std::string text(fuzz::text_of(data, size));
  const fuzz::MemoryLimit limit(64 * size + (64 << 20));  // a model has 1024 layers at most
  fuzz::accepts([&] {
    const Config config = Config::parse(text, "config.json");
    fuzz::accepts([&] { task_of(config); });
    for (const Task task : {Task::causal_lm, Task::classification, Task::token_classification,
                            Task::masked_lm, Task::none})
      fuzz::accepts([&] {
        const auto model = build_model(config, task);
        invariant(model->max_length() > 0, "a model for texts of length {}", model->max_length());
      });
  });
  return 0;
}
