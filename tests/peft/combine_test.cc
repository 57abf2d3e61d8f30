// Adapters combined into one, held to HF PEFT's add_weighted_adapter (tests/vectors/combine).
#include "peft/combine.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "engine/files/json.h"
#include "engine/files/safetensors.h"
#include "engine/gemm.h"
#include "engine/svd.h"
#include "peft/combine_files.h"
#include "tests/oracle.h"
#include "tests/support.h"

namespace lk {
namespace {

const std::filesystem::path kRoot = "tests/vectors/combine";

Tensor product(const Tensor& b, const Tensor& a) {
  Tensor out = Tensor::zeros({b.dim(0), a.dim(1)}, DType::f32);
  gemm(out, b, a);
  return out;
}

TEST_CASE("combined adapters have HF PEFT's numbers") {
  const auto vectors = SafetensorsFile::open(kRoot / "vectors.safetensors");
  const nlohmann::json cases = read_json(kRoot / "cases.json");
  size_t compared = 0;
  for (size_t k = 0; k < cases.size(); ++k) {
    const nlohmann::json& c = cases[k];
    CAPTURE(c.dump());
    std::vector<std::filesystem::path> folders;
    for (const char name : c.at("adapters").get<std::string>())
      folders.push_back(kRoot / std::string(1, name));
    CombineOptions o;
    o.type = c.at("type").get<std::string>();
    o.density = c.value("density", 0.0);
    o.majority_sign = c.value("majority_sign", "total");
    o.rank = c.value("rank", 0);
    const test::TempDir dir;
    combine_adapters(folders, c.at("weights").get<std::vector<double>>(), o, dir.path(), false);

    const nlohmann::json config = read_json(dir / "adapter_config.json");
    CHECK(config.at("r") == c.at("r"));
    CHECK(config.at("lora_alpha") == c.at("r"));
    CHECK(config.at("target_modules") == c.at("target_modules"));
    const auto ours = SafetensorsFile::open(dir / "adapter_model.safetensors");
    const std::string start = std::to_string(k) + ".";
    size_t pairs = 0;
    for (const std::string& name : vectors->names()) {
      if (name.rfind(start, 0) != 0) continue;
      CAPTURE(name);
      const size_t dot = name.rfind('.');
      const std::string stem = "base_model.model." + name.substr(start.size(), dot - start.size()),
                        what = name.substr(dot + 1);
      const bool linear = ours->has(stem + ".lora_A.weight");
      const Tensor a = ours->get(stem + (linear ? ".lora_A.weight" : ".lora_embedding_A")),
                   b = ours->get(stem + (linear ? ".lora_B.weight" : ".lora_embedding_B"));
      const Tensor expected = vectors->get(name);
      // The factors of an svd are no one's but up to signs: their product is compared.
      const Tensor found = what == "delta" ? product(b, a) : what == "a" ? a : b;
      CHECK(found.shape() == expected.shape());
      CHECK(test::max_difference(found, expected) <= 2e-6 * test::max_magnitude(expected));
      ++compared;
      if (what != "b") ++pairs;
    }
    CHECK(2 * pairs == ours->names().size());
  }
  CHECK(compared > 30);
}

TEST_CASE("svd: the nearest of its rank, and the sum itself where that has no more") {
  Random random(4);
  const auto matrix = [&](int64_t rows, int64_t cols) {
    Tensor t = Tensor::empty({rows, cols}, DType::f32);
    for (float& v : t.span<float>()) v = static_cast<float>(random.normal());
    return t;
  };
  CombineOptions o;
  o.type = "svd";
  // Layers wider and narrower than the ranks' sum of 5.
  for (const auto& [out, in] : {std::pair<int64_t, int64_t>{40, 30}, {30, 40}, {4, 9}, {9, 4}}) {
    CAPTURE(out);
    const std::vector<LowRank> parts{{matrix(3, in), matrix(out, 3), 0.5},
                                     {matrix(2, in), matrix(out, 2), 2.0}};
    const std::vector<double> weights{0.7, -1.3};
    Tensor sum = Tensor::zeros({out, in}, DType::f32);
    for (size_t i = 0; i < 2; ++i)
      gemm(sum, parts[i].b, parts[i].a,
           {.alpha = static_cast<float>(weights[i] * parts[i].scale), .accumulate = true});
    const Svd whole = svd(sum);
    for (const int64_t rank : {int64_t{2}, std::min<int64_t>(8, std::min(in, out))}) {
      CAPTURE(rank);
      const LowRank found = combine(parts, weights, o, rank, random);
      CHECK(found.a.shape() == Shape{rank, in});
      CHECK(found.b.shape() == Shape{out, rank});
      Tensor nearest = Tensor::zeros({out, in}, DType::f32);
      for (int64_t i = 0; i < out; ++i)
        for (int64_t j = 0; j < in; ++j)
          for (int64_t k = 0; k < rank; ++k)
            nearest.data<float>()[i * in + j] += static_cast<float>(
                whole.u.item(i * whole.u.dim(1) + k) * whole.s.item(k) * whole.vt.item(k * in + j));
      CHECK(test::max_difference(product(found.b, found.a), nearest) <=
            5e-6 * test::max_magnitude(sum));
    }
  }
}

TEST_CASE("dare drops at random, the same for the same seed, and keeps the mean") {
  const Tensor ones = Tensor::full({40, 50}, DType::f32, 1.0),
               twos = Tensor::full({40, 50}, DType::f32, 2.0);
  CombineOptions o;
  o.density = 0.3;
  const auto mean = [](const Tensor& t) {
    double total = 0;
    for (int64_t i = 0; i < t.numel(); ++i) total += t.item(i);
    return total / static_cast<double>(t.numel());
  };
  o.type = "dare_linear";
  Random random(5), again(5), other(6);
  const Tensor first = combine_tensors({ones, twos}, {0.5, 0.25}, o, random);
  CHECK(test::max_difference(first, combine_tensors({ones, twos}, {0.5, 0.25}, o, again)) == 0);
  CHECK(test::max_difference(first, combine_tensors({ones, twos}, {0.5, 0.25}, o, other)) > 0.1);
  // Each term is w / density with probability density: a standard deviation of 0.76 of one value,
  // 0.024 of the mean of 2000.
  CHECK(std::abs(mean(first) - 1.0) <= 0.1);
  // With equal signs ties takes the mean of those that are left: (1 - 0.7^2) of the values.
  o.type = "dare_ties";
  const Tensor ties = combine_tensors({ones, ones}, {1.0, 1.0}, o, random);
  double kept = 0;
  for (int64_t i = 0; i < ties.numel(); ++i) {
    const double v = ties.item(i);
    CHECK((v == 0 || std::abs(v - 1 / 0.3) <= 1e-5));
    kept += v != 0 ? 1 : 0;
  }
  CHECK(std::abs(kept / 2000 - 0.51) <= 0.06);
}

TEST_CASE("what cannot be combined is an error that says why") {
  const test::TempDir dir;
  CombineOptions o;
  o.type = "linear";
  const auto error = [&](const std::vector<std::filesystem::path>& folders,
                         const std::vector<double>& weights) {
    return test::error_of([&] { combine_adapters(folders, weights, o, dir / "out", false); });
  };
  const auto has = [](const std::string& text, const char* part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
  };
  has(error({kRoot / "a", kRoot / "b"}, {1.0}), "2 adapters have 1 weights");
  has(error({kRoot / "a", kRoot / "c"}, {1.0, 1.0}), "cannot be combined by linear");
  o.type = "lineer";
  has(error({kRoot / "a", kRoot / "b"}, {1.0, 1.0}), "nearest: linear");
  o.type = "ties";
  has(error({kRoot / "a", kRoot / "b"}, {1.0, 1.0}), "needs a density");
  o.type = "cat";
  has(error({kRoot / "a", kRoot / "b", kRoot / "d"}, {1.0, 1.0, 1.0}), "above that of a layer");
  has(error({kRoot / "a", "tests/vectors/peft/ia3-llama"}, {1.0, 1.0}), "only LoRA");
  has(error({kRoot / "a", "tests/vectors/peft/lora-all-rslora-bias-gpt2"}, {1.0, 1.0}), "base");
}

}  // namespace
}  // namespace lk
