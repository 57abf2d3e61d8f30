#include "tests/tools/tool_run.h"

namespace lk {
namespace {

using test::Outcome;

TEST_CASE("inspect --plan: a folder without weights, a shape by name, and what is refused") {
  const test::TempDir dir;
  test::make_llama_folder(dir);
  std::filesystem::remove(dir / "model" / "model.safetensors");
  const std::string inspect = test::tool("inspect") + " ", model = (dir / "model").string();
  const Outcome o = run(dir, inspect + model +
                                 " --plan --method lora --rank 2 --batch-size 3 --max-length 20 "
                                 "--optimizer lion --gradient-checkpointing --device-memory 1KB");
  CAPTURE(o.text);
  REQUIRE(o.code == 0);
  CHECK(o.says("256 of them train; 3 examples of 20 tokens"));
  CHECK(o.says("gradient checkpointing"));
  CHECK(o.says("lion"));
  CHECK(o.says("do not fit into 1.0 kB"));
  const Outcome shape = run(dir, inspect +
                                     "llama-7b --plan --method qlora --rank 16 --dtype bf16 "
                                     "--batch-size 1 --max-length 512 "
                                     "--gradient-checkpointing --device-memory 6GB");
  CAPTURE(shape.text);
  REQUIRE(shape.code == 0);
  CHECK(shape.says("nf4, blocks of 64, double"));
  CHECK(shape.says("the tensors fit into 6.00 GB"));
  const std::string paged =
      "llama-160m --plan --method full --optimizer paged-adamw --max-length 64 --device ";
  const Outcome file = run(dir, inspect + paged + "cpu"),
                managed = run(dir, inspect + paged + "cuda");
  CAPTURE(file.text);
  CAPTURE(managed.text);
  REQUIRE(file.code == 0);
  CHECK(file.says("on disk: optimizer states"));
  REQUIRE(managed.code == 0);
  CHECK(!managed.says("on disk"));
  // Of a table of 32000 x 768.
  CHECK(managed.says("on the host; 196.6 MB of them come to the device at a time"));
  const Outcome unknown = run(dir, inspect + "llama-2b --plan");
  CHECK(unknown.code == 1);
  CHECK(unknown.says("llama-160m"));
  const Outcome without = run(dir, inspect + model + " --batch-size 3");
  CHECK(without.code == 2);
  CHECK(without.says("--plan"));
  const Outcome wrong = run(dir, inspect + model + " --plan --method ia3 --rank 3");
  CHECK(wrong.code == 1);
  CHECK(wrong.says("--rank is no option of the method 'ia3'"));
}

}  // namespace
}  // namespace lk
