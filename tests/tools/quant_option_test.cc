// --quant in evaluate and generate: the base as bin/quantize would have written it, without a
// folder between.
#include <doctest/doctest.h>

#include "tests/tools/tool_run.h"

namespace lk {
namespace {

using test::Outcome;

TEST_CASE(
    "--quant: a base held in 4 bits while it loads scores as the folder that quantize wrote") {
  const test::TempDir dir;
  test::make_llama_folder(dir);
  test::write_file(dir / "data.jsonl", test::text_data(6));
  const std::string model = (dir / "model").string(), written = (dir / "written").string();
  const std::string how = " --quant fp4 --quant-block-size 32 --double-quant";
  const Outcome quantize = run(dir, test::tool("quantize") + " --model " + model + " --output " +
                                        written + how + " --dtype f32");
  CAPTURE(quantize.text);
  REQUIRE(quantize.code == 0);
  const auto evaluate = [&](const std::string& options, const std::string& outputs) {
    const Outcome o = run(dir, test::tool("evaluate") + " --data " + (dir / "data.jsonl").string() +
                                   " --max-new-tokens 8 --predictions " + (dir / outputs).string() +
                                   " --model " + options);
    CAPTURE(o.text);
    CHECK(o.code == 0);
    return o.text;
  };
  const std::string loaded = evaluate(model + how, "a"), read = evaluate(written, "b"),
                    dense = evaluate(model, "c");
  CHECK(loaded.find(", quantization error 0.") != std::string::npos);
  CHECK(loaded.substr(0, loaded.find(", quantization error")) == read.substr(0, read.find('\n')));
  CHECK(loaded.substr(0, dense.size() - 1) != dense.substr(0, dense.size() - 1));
  CHECK(test::read_file(dir / "a") == test::read_file(dir / "b"));

  const auto generate = [&](const std::string& options) {
    const Outcome o = run(dir, test::tool("generate") +
                                   " --prompt 'the number' --max-new-tokens 8 --model " + options);
    CHECK(o.code == 0);
    return o.text;
  };
  CHECK(generate(model + how) == generate(written));
}

TEST_CASE("--quant: what does not fit is an error that says so") {
  const test::TempDir dir;
  test::make_llama_folder(dir);
  test::write_file(dir / "data.jsonl", test::text_data(2));
  const std::string start = test::tool("evaluate") + " --model " + (dir / "model").string() +
                            " --data " + (dir / "data.jsonl").string();
  const Outcome alone = run(dir, start + " --double-quant");
  CHECK(alone.code == 1);
  CHECK(alone.says("--double-quant, --quant-block-size and --quant-head need --quant TYPE"));
  const Outcome block = run(dir, start + " --quant nf4 --quant-block-size 48");
  CHECK(block.code == 1);
  CHECK(block.says("48"));
  CHECK(run(dir, start + " --quant nf3").code == 2);
}

}  // namespace
}  // namespace lk
