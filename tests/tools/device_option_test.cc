// --device cuda in the tools: the CPU's numbers where the build and the machine have a device (also
// the emulated one of `make EMULATE=1`), an error that names the CPU elsewhere.
#include <doctest/doctest.h>

#include "engine/files/safetensors.h"
#include "tests/tools/tool_run.h"

namespace lk {
namespace {

using test::Outcome;

// A run of two steps that writes OUTPUT/adapter.
Outcome finetune_on(const test::TempDir& dir, const std::string& device) {
  return test::run(dir,
                   test::tool("finetune") + " --model " + (dir / "model").string() + " --train " +
                       (dir / "train.jsonl").string() + " --output " + (dir / device).string() +
                       " --rank 4 --max-steps 2 --batch-size 2 --dropout 0.1 --device " + device);
}

TEST_CASE("--device cuda trains as the CPU does, or says why it cannot and names the CPU") {
  const test::TempDir dir;
  test::make_llama_folder(dir);
  test::write_file(dir / "train.jsonl", test::text_data(8));
  const Outcome cpu = finetune_on(dir, "cpu"), cuda = finetune_on(dir, "cuda");
  CAPTURE(cpu.text);
  CAPTURE(cuda.text);
  REQUIRE(cpu.code == 0);
  if (cuda.code != 0) {
    CHECK(cuda.code == 1);
    CHECK((cuda.says("this build has no CUDA backend") || cuda.says("no CUDA device can be used") ||
           cuda.says("compute capability")));
    CHECK(cuda.says("; use --device cpu"));
    return;
  }
  const auto a = SafetensorsFile::open(dir / "cpu/adapter/adapter_model.safetensors"),
             b = SafetensorsFile::open(dir / "cuda/adapter/adapter_model.safetensors");
  REQUIRE(a->names() == b->names());
  for (const std::string& name : a->names()) {
    const auto x = a->get(name).to_vector<double>(), y = b->get(name).to_vector<double>();
    REQUIRE(x.size() == y.size());
    double error = 0;
    for (size_t i = 0; i < x.size(); ++i) error = std::max(error, std::abs(x[i] - y[i]));
    CAPTURE(name);
    // AdamW turns a gradient's rounding into whole steps (of 1e-3) where it is nearly 0.
    CHECK(error <= 2.5e-3);
  }
}

TEST_CASE("--device: other names are wrong usage, and every tool that computes has the option") {
  const test::TempDir dir;
  for (const char* name : {"finetune", "generate", "evaluate"}) {
    CHECK(test::run(dir, test::tool(name) + " --help").says("--device"));
    const Outcome o = test::run(dir, test::tool(name) + " --device tpu");
    CHECK(o.code == 2);
    CHECK(o.says("--device"));
  }
  CHECK(test::run(dir, test::tool("bench") + " step --help").says("--device"));
}

TEST_CASE("bench: attention on the CPU; the device and its kernels, or why there is none") {
  const test::TempDir dir;
  const Outcome attention = test::run(
      dir, test::tool("bench") + " attention --seq 32 --heads 4 --kv-heads 2 --head-dim 8");
  CAPTURE(attention.text);
  REQUIRE(attention.code == 0);
  CHECK(attention.says("\"forward_tflops\":"));
  for (const char* command :
       {" device --ceiling 8 --megabytes 0", " kernels --op convert --megabytes 0"}) {
    const Outcome o = test::run(dir, test::tool("bench") + command);
    CAPTURE(o.text);
    if (o.code == 0) {
      CHECK(o.says("\"device_name\":"));
      continue;
    }
    CHECK(o.code == 1);
    CHECK((o.says("this build has no CUDA backend") || o.says("no CUDA device can be used") ||
           o.says("compute capability")));
  }
}

}  // namespace
}  // namespace lk
