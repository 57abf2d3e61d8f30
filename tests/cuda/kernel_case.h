// One test body, run with the CPU's kernel, of the same dtype or of f64, and with the CUDA kernel:
// what both write must agree, and each run of the CUDA kernel must write the same bits.
// tests/cuda/watch.h: on what it runs.
#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/cpu.h"
#include "engine/rng.h"
#include "tests/cuda/device.h"
#include "tests/cuda/watch.h"

namespace lk::test {

// The operands of one run. The n-th operand has the same values on both sides.
class Operands {
 public:
  explicit Operands(bool device) : device_(device) {}
  // Random numbers are those that `rounded` has, whatever the operand's type.
  Operands(bool device, DType rounded) : device_(device), rounded_(rounded) {}
  // [count] uniform in [low, high); the kernel only reads it.
  template <class T>
  const T* in(T, int64_t count, double low = -1, double high = 1) {
    return add<T>(random<T>(count, low, high), false);
  }
  template <class T>
  const T* in(const std::vector<T>& values) {
    return add<T>(values, false);
  }
  // The same, but the kernel may write it, and what it leaves there is compared.
  template <class T>
  T* in_out(T, int64_t count, double low = -1, double high = 1) {
    return add<T>(random<T>(count, low, high), true);
  }
  template <class T>
  T* in_out(const std::vector<T>& values) {
    return add<T>(values, true);
  }
  // [count] that the kernel must write all of.
  template <class T>
  T* out(T, int64_t count) {
    if (device_) return keep(std::make_shared<DeviceArray<T>>(count), true);
    return add<T>(std::vector<T>(static_cast<size_t>(count), T(std::nanf(""))), true);
  }
  // What the kernel wrote, one vector an output.
  std::vector<std::vector<double>> results() const {
    std::vector<std::vector<double>> all;
    for (const auto& get : outputs_) all.push_back(get());
    return all;
  }

 private:
  template <class T>
  std::vector<T> random(int64_t count, double low, double high) {
    Random r(17, ++operands_);
    std::vector<T> values;
    for (int64_t i = 0; i < count; ++i) {
      double value = low + (high - low) * r.uniform();
      if (rounded_ != DType::f64) value = static_cast<double>(static_cast<float>(value));
      if (rounded_ == DType::bf16) value = static_cast<double>(bf16(static_cast<float>(value)));
      values.push_back(T(static_cast<acc_t<T>>(value)));
    }
    return values;
  }
  template <class T>
  T* add(std::vector<T> values, bool output) {
    if (device_) return keep(std::make_shared<DeviceArray<T>>(values), output);
    auto memory = std::make_shared<HostArray<T>>();
    memory->values = std::move(values);
    return keep(memory, output);
  }
  template <class T>
  struct HostArray {
    std::vector<T> values;
    T* data() { return values.data(); }
    const std::vector<T>& get() const { return values; }
  };
  template <class M>
  auto keep(std::shared_ptr<M> memory, bool output) {
    owned_.push_back(memory);
    if (output)
      outputs_.push_back([memory] {
        std::vector<double> values;
        for (const auto v : memory->get()) values.push_back(static_cast<double>(v));
        return values;
      });
    return memory->data();
  }

  bool device_;
  DType rounded_ = DType::f64;
  uint64_t operands_ = 0;
  std::vector<std::shared_ptr<void>> owned_;
  std::vector<std::function<std::vector<double>()>> outputs_;
};

// Largest difference over the largest magnitude, for each output.
inline void check_close(const std::vector<std::vector<double>>& got,
                        const std::vector<std::vector<double>>& want, double tolerance) {
  REQUIRE(got.size() == want.size());
  for (size_t o = 0; o < got.size(); ++o) {
    CAPTURE(o);
    REQUIRE(got[o].size() == want[o].size());
    double most = 0, error = 0;
    bool finite = true;
    for (size_t i = 0; i < got[o].size(); ++i) {
      if (std::isinf(want[o][i]) && want[o][i] == got[o][i]) continue;
      finite = finite && std::isfinite(got[o][i]);
      most = std::max(most, std::abs(want[o][i]));
      error = std::max(error, std::abs(got[o][i] - want[o][i]));
    }
    CHECK(finite);
    CHECK((error <= tolerance * most));
  }
}

// body(isa, R{}, operands) calls the kernel on the CPU, body(Cuda{}, T{}, operands) on the device;
// T: float or bf16. rounded: of random operands.
template <class R, class T, class F>
void compare_sides(const std::string& what, double tolerance, DType rounded, F body) {
  CAPTURE(what);
  CAPTURE(name_of(dtype_of<T>));
  Operands cpu(false, rounded);
  on_float(DType::f32, [&](auto isa, auto) { body(isa, R{}, cpu); });
  const auto want = cpu.results();
  std::vector<std::vector<double>> first;
  for (uint64_t seed = 1; seed <= run_count(); ++seed) {
    const Watch watch(seed);
    Operands device(true, rounded);
    body(Cuda{}, T{}, device);
    CHECK(watch.faults() == "");
    const auto got = device.results();
    if (seed == 1) {
      check_close(got, want, tolerance);
      first = got;
    } else {
      CHECK((got == first));  // to the bit
    }
  }
}

// With the CPU's kernel of the same dtype.
template <class T, class F>
void compare_with_cpu(const std::string& what, double tolerance, F body) {
  compare_sides<T, T>(what, tolerance, DType::f64, body);
}
// In f32 and in bf16.
template <class F>
void compare_with_cpu(const std::string& what, double f32, double bf16_tolerance, F body) {
  compare_with_cpu<float>(what, f32, body);
  compare_with_cpu<bf16>(what, bf16_tolerance, body);
}

// With the CPU's kernel in f64, on the same numbers.
template <class T, class F>
void compare_with_f64(const std::string& what, double tolerance, F body) {
  compare_sides<double, T>(what, tolerance, dtype_of<T>, body);
}
template <class F>
void compare_with_f64(const std::string& what, double f32, double bf16_tolerance, F body) {
  compare_with_f64<float>(what, f32, body);
  compare_with_f64<bf16>(what, bf16_tolerance, body);
}

}  // namespace lk::test
