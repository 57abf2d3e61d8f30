// The topic `quantization` of the reference's indices, bytes, codes and restored values to the bit,
// a line each. A kind of case that is not known is a failure.
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "engine/cpu.h"
#include "engine/kernels/blockwise.h"
#include "nn/optim/optimizer.h"
#include "quant/bnb_files.h"
#include "quant/linear.h"
#include "tests/oracle.h"
#include "tests/support.h"

namespace lk::test {
namespace {

// The first place where the bytes of two tensors differ, or "".
std::string difference(const Tensor& got, const Tensor& expected) {
  if (got.numel() != expected.numel() || got.dtype() != expected.dtype())
    return fmt::format("{} {} against {} {}", name_of(got.dtype()), got.shape(),
                       name_of(expected.dtype()), expected.shape());
  const auto size = static_cast<size_t>(size_of(got.dtype()));
  for (int64_t i = 0; i < got.numel(); ++i) {
    const size_t at = static_cast<size_t>(i) * size;
    if (std::memcmp(static_cast<const char*>(got.raw()) + at,
                    static_cast<const char*>(expected.raw()) + at, size) != 0)
      return fmt::format("[{}] is {} instead of {}", i, got.item(i), expected.item(i));
  }
  return "";
}

Tensor floats(const float* x, int64_t n) {
  return Tensor::from(std::span<const float>(x, static_cast<size_t>(n)), {n});
}

void check_codebooks(const SafetensorsFile& v) {
  CHECK(difference(floats(codebook4("nf4").values.data(), 16), v.get("codebook.nf4")) == "");
  CHECK(difference(floats(codebook4("fp4").values.data(), 16), v.get("codebook.fp4")) == "");
  CHECK(difference(floats(dynamic_map(true).data(), 256), v.get("codebook.dynamic_signed")) == "");
  CHECK(difference(floats(dynamic_map(false).data(), 256), v.get("codebook.dynamic_unsigned")) ==
        "");
}

Tensor values_of(const Quantized& q) {
  Quantized ones = q;
  ones.spec.double_quant = false;
  ones.absmax = Tensor::full({q.blocks()}, DType::f32, 1);
  return dequantize(ones, DType::f32);
}

// bitsandbytes 0.50 on CPUs with AVX-512 takes the factor of the wrong block where rows are no
// multiple of the block (its own quantization, its other paths and its GPU code count along the
// flattened matrix, as we do). Its result in that case: each value times the factor it takes.
bool misread_by_reference(const Quantized& q) {
  const int64_t cols = q.shape[q.shape.rank() - 1];
  return cols % q.spec.block_size != 0 && cols % 16 == 0 && q.spec.block_size < 2048;
}
Tensor as_reference_reads(const Quantized& q, DType dtype) {
  const Tensor values = values_of(q);
  const int64_t cols = q.shape[1], block = q.spec.block_size;
  std::vector<float> factors(static_cast<size_t>(q.blocks()));
  block_factors(factors.data(), q, 0, q.blocks());
  Tensor y = Tensor::empty(q.shape, DType::f32);
  for (int64_t i = 0; i < q.numel(); ++i) {
    const int64_t taken = i / cols * (cols / block) + i % cols / block;
    y.data<float>()[i] = values.data<float>()[i] * factors[static_cast<size_t>(taken)];
  }
  return y.to(dtype);
}

void check_restored(const Quantized& q, DType dtype, const Tensor& expected) {
  if (!misread_by_reference(q)) {
    CHECK(difference(dequantize(q, dtype), expected) == "");
    return;
  }
  CHECK(difference(as_reference_reads(q, dtype), expected) == "");
  // Ours, by the definition.
  const Tensor values = values_of(q), got = dequantize(q, dtype);
  std::vector<float> factors(static_cast<size_t>(q.blocks()));
  block_factors(factors.data(), q, 0, q.blocks());
  Tensor y = Tensor::empty(q.shape, DType::f32);
  for (int64_t i = 0; i < q.numel(); ++i)
    y.data<float>()[i] =
        values.data<float>()[i] * factors[static_cast<size_t>(i / q.spec.block_size)];
  CHECK(difference(got, y.to(dtype)) == "");
}

void check_blockwise(const nlohmann::json& c, const SafetensorsFile& v) {
  QuantSpec spec{c["quant_type"], c["blocksize"], c["double"]};
  const Tensor w = v.get("in.w");
  const Quantized q = quantize(w, spec);
  CHECK(difference(q.codes, v.get("out.packed")) == "");
  if (spec.double_quant) {
    CHECK(difference(q.absmax_codes, v.get("out.absmax")) == "");
    CHECK(difference(q.nested_absmax, v.get("out.nested_absmax")) == "");
    CHECK(difference(floats(&q.offset, 1), v.get("out.offset")) == "");
    Tensor factors = Tensor::empty({q.blocks()}, DType::f32);
    block_factors(factors.data<float>(), q, 0, q.blocks());
    CHECK(difference(factors, v.get("out.absmax_restored")) == "");
  } else {
    CHECK(difference(q.absmax, v.get("out.absmax")) == "");
  }
  check_restored(q, w.dtype(), v.get("out.dequantised"));
}

void check_8bit(const nlohmann::json& c, const SafetensorsFile& v) {
  const bool is_signed = c["signed"];
  const int64_t block = c["blocksize"];
  const Tensor x = v.get("in.x");
  const Tensor codes = Tensor::empty(x.shape(), DType::u8),
               y = Tensor::empty(x.shape(), DType::f32),
               absmax = Tensor::empty({(x.numel() + block - 1) / block}, DType::f32);
  on_float(DType::f32, [&](auto isa, auto type) {
    if constexpr (std::is_same_v<decltype(type), float>) {
      quantize_8bit(isa, codes.data<uint8_t>(), absmax.data<float>(), x.data<float>(), x.numel(),
                    block, dynamic_steps(is_signed));
      dequantize_8bit(isa, y.data<float>(), codes.data<uint8_t>(), absmax.data<float>(), 0,
                      x.numel(), block, dynamic_map(is_signed).data());
    }
  });
  CHECK(difference(codes, v.get("out.codes")) == "");
  CHECK(difference(absmax, v.get("out.absmax")) == "");
  CHECK(difference(y, v.get("out.dequantised")) == "");
}

// A saved Linear4bit: read, applied, and written again with the same bytes.
void check_saved(const nlohmann::json& c, const std::filesystem::path& file,
                 const SafetensorsFile& v) {
  const Tensor w = v.get("in.w"), x = v.get("in.x"), bias = v.get("saved.bias"),
               expected = v.get("out.y");
  const Quantized q =
      read_quantized(WeightFiles::open(file), "saved.weight", w.shape(), "reference");
  CHECK(difference(quantize(w, q.spec).codes, q.codes) == "");
  const auto shared = std::make_shared<const Quantized>(q);
  const Tensor dense =
      misread_by_reference(q) ? as_reference_reads(q, DType::f32) : dequantize(q, DType::f32);
  const double tolerance = c["tolerance"]["y"];
  CHECK(max_difference(linear(x, dense, bias, false).value(), expected) <= tolerance);
  CHECK(max_difference(quantized_linear(x, shared, bias).value(),
                       linear(x, dequantize(q, DType::f32), bias, false).value()) <= tolerance);
  std::vector<NamedTensor> written;
  append_quantized(written, "saved.weight", q);
  for (const NamedTensor& t : written) {
    CAPTURE(t.name);
    if (t.name.find("quant_state") == std::string::npos) {
      CHECK(difference(t.tensor, v.get(t.name)) == "");
      continue;
    }
    const auto text = [](const Tensor& bytes) {
      return nlohmann::json::parse(bytes.span<uint8_t>().begin(), bytes.span<uint8_t>().end());
    };
    CHECK(text(t.tensor) == text(v.get(t.name)));
  }
}

// Updates of one tensor with the settings of the reference: lr 0.01 and the optimizer's own
// defaults in bitsandbytes. What it was after an update is there for some of them.
void check_optimizer(const std::string& name, const nlohmann::json& c, const SafetensorsFile& v) {
  OptimizerConfig config;
  config.name = name == "Lion8bit"    ? "lion8bit"
                : name == "AdamW8bit" ? "adamw8bit"
                                      : "paged-adamw8bit";
  double weight_decay = 0.01;
  if (name == "Lion8bit") config.beta2 = 0.99, weight_decay = 0;
  const TempDir folder;
  config.page_file = folder / "pages";
  const Var p = Var::leaf(v.get("start").to(DType::f32).clone());
  const auto optimizer = make_optimizer(config, {{{{"p", p}}, 1.0, weight_decay}});
  int compared = 0;
  for (int i = 0; v.has("grad." + std::to_string(i)); ++i) {
    p.set_grad(v.get("grad." + std::to_string(i)).to(DType::f32).clone());
    optimizer->step(0.01);
    const std::string after = "param." + std::to_string(i);
    if (!v.has(after)) continue;
    CAPTURE(i);
    CHECK(max_difference(p.value(), v.get(after)) <= c["tolerance"]["param"].get<double>());
    ++compared;
  }
  CHECK(compared > 0);
}

void check_case(const nlohmann::json& c, const std::filesystem::path& file) {
  const auto name = c["name"].get<std::string>();
  CAPTURE(name);
  const auto v = SafetensorsFile::open(file);
  if (name == "codebooks")
    check_codebooks(*v);
  else if (c.contains("quant_type"))
    check_blockwise(c, *v);
  else if (c.contains("signed"))
    check_8bit(c, *v);
  else if (c.contains("keys"))
    check_saved(c, file, *v);
  else if (name == "AdamW8bit" || name == "Lion8bit" || name == "PagedAdamW8bit")
    check_optimizer(name, c, *v);
  else
    FAIL_CHECK("a case of a kind that is not known");
}

}  // namespace

TEST_CASE("quantization: every reference case") {
  for (const OracleCase& c : oracle_cases("quantization")) {
    if (c.json->contains("skipped")) {
      fmt::print("oracle quantization {}: skipped, {}\n", c.name, (*c.json)["skipped"].dump());
      continue;
    }
    check_case(*c.json, c.vectors);
    fmt::print("oracle quantization {}\n", c.name);
  }
}

}  // namespace lk::test
