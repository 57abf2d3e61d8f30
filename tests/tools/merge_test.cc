// A merged model in few bits; the dense one is in adapter_tools_test.cc.
#include "tests/tools/tool_run.h"

namespace lk {
namespace {

using test::Outcome;

TEST_CASE("merge --quant: the merged model is written in few bits, with what that loses") {
  const test::TempDir dir;
  test::make_llama_folder(dir);
  test::write_file(dir / "train.jsonl", test::text_data(12));
  const auto at = [&](const std::string& name) { return (dir / name).string(); };
  const Outcome trained = run(dir, test::tool("finetune") + " --model " + at("model") +
                                       " --train " + at("train.jsonl") + " --output " + at("out") +
                                       " --method qlora --rank 4 --max-steps 4");
  CAPTURE(trained.text);
  REQUIRE(trained.code == 0);
  const std::string merge = test::tool("merge") + " --adapter " + at("out/adapter") + " --output ";
  const Outcome merged = run(dir, merge + at("nf4") + " --quant nf4 --double-quant");
  CAPTURE(merged.text);
  REQUIRE(merged.code == 0);
  CHECK(merged.says("the merged weights in nf4, blocks of 64, double: relative error 0."));
  CHECK(merged.says("the answers differ from the adapter's on its base by"));
  CHECK(test::read_file(dir / "nf4" / "config.json").find("bnb_4bit_use_double_quant") !=
        std::string::npos);
  const Outcome dense = run(dir, merge + at("dense"));
  CHECK(dense.code == 0);
  CHECK(dense.says("the merged weights are dense"));
  CHECK(test::read_file(dir / "dense" / "config.json").find("quantization_config") ==
        std::string::npos);
  const Outcome said = run(dir, test::tool("generate") + " --model " + at("nf4") +
                                    " --prompt 'the number 3' --max-new-tokens 3");
  CAPTURE(said.text);
  CHECK(said.code == 0);
  CHECK(run(dir, merge + at("x") + " --double-quant").says("need --quant TYPE"));
}

}  // namespace
}  // namespace lk
