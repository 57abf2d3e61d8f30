#include "peft/torch_random.h"

#include <doctest/doctest.h>

#include "engine/files/safetensors.h"
#include "peft/adapter_files.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

TEST_CASE("permutations are those of torch.randperm") {
  CHECK(TorchRandom(5).permutation(12, 12) ==
        std::vector<int64_t>{11, 0, 9, 6, 10, 3, 4, 5, 8, 7, 1, 2});
  CHECK(TorchRandom(777).permutation(2000000, 5) ==
        std::vector<int64_t>{1685735, 481948, 613071, 113974, 444911});
  CHECK_THROWS_AS(TorchRandom(1).permutation(int64_t{1} << 33, 1), Error);
}

// HF PEFT drew these with uniform_ under projection_prng_key and wrote them.
TEST_CASE("VeRA's projections are drawn as HF PEFT draws them") {
  const std::filesystem::path folder = "tests/vectors/peft/vera-llama";
  const AdapterConfig config = read_adapter_config(folder);
  LoadedModel base = load_model("tests/vectors/models/llama-gqa", {});
  const auto method = config.info->make(config.settings);
  method->attach(*base.model, 0);
  const auto file = SafetensorsFile::open(folder / "adapter_model.safetensors");
  int compared = 0;
  method->visit_frozen([&](Parameter& p) {
    CHECK(test::same_bits(p.var.value(), file->get(p.name)));
    ++compared;
  });
  CHECK(compared == 2);
}

}  // namespace
}  // namespace lk
