#include "cuda/timing.h"

#include <algorithm>
#include <array>

#include "cuda/cases.h"

namespace lk {
namespace {

class Event {
 public:
  Event() { check_cuda(cudaEventCreate(&event_), "an event"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

// Microseconds of one of `count` calls of f, which asks the stream for work.
template <class F>
double sample(Cuda cuda, int64_t count, const Event& begin, const Event& end, F& f) {
  check_cuda(cudaEventRecord(begin.get(), cuda.stream), "an event");
  for (int64_t i = 0; i < count; ++i) f();
  check_cuda(cudaEventRecord(end.get(), cuda.stream), "an event");
  check_cuda(cudaEventSynchronize(end.get()), "kernels that are timed");
  float ms = 0;
  check_cuda(cudaEventElapsedTime(&ms, begin.get(), end.get()), "an event");
  return 1e3 * static_cast<double>(ms) / static_cast<double>(count);
}

template <class F>
double median_microseconds(Cuda cuda, F f) {
  const Event begin, end;
  f();  // loads the kernel and takes the memory
  const double once = sample(cuda, 1, begin, end, f);
  // Samples of 10 ms: the clock's steps and the gap before the first launch are nothing beside it.
  const auto count = static_cast<int64_t>(std::clamp(1e4 / std::max(once, 1.0), 1.0, 1e4));
  std::array<double, 5> samples{};
  for (double& s : samples) s = sample(cuda, count, begin, end, f);
  std::sort(samples.begin(), samples.end());
  return samples[samples.size() / 2];
}

}  // namespace

std::vector<KernelTime> time_kernels(Cuda cuda, const std::string& only, int64_t bytes) {
  std::vector<KernelTime> times;
  const std::vector<KernelCase> slices = kernel_cases();
  for (size_t i = 0; i < slices.size(); ++i) {
    if (slices[i].op.find(only) == std::string::npos) continue;
    const int64_t least = slices[i].least_bytes;
    const KernelCase one = kernel_cases(std::max<int64_t>((bytes + least - 1) / least, 1))[i];
    CaseMemory memory;
    const double us = median_microseconds(cuda, [&] {
      memory.again();
      one.run(cuda, memory);
    });
    times.push_back({one.op, one.shape, one.least_bytes, us});
  }
  return times;
}

double copy_gb_per_s(Cuda cuda, int64_t bytes) {
  CaseMemory memory;
  const auto* from = memory.zeros<uint8_t>(bytes);
  auto* to = memory.zeros<uint8_t>(bytes);
  const double us = median_microseconds(cuda, [&] {
    check_cuda(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice,
                               cuda.stream),
               "a copy");
  });
  return 2e-3 * static_cast<double>(bytes) / us;
}

}  // namespace lk
