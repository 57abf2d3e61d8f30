// Managed memory and the runtime's calls about it: what a device takes, what it refuses, and what
// the checker sees of kernels that use it.
#include <doctest/doctest.h>

#include "cuda/emulator/emulator.h"
#include "tests/cuda/device.h"
#include "tests/cuda/emulator/access.h"

namespace lk::test {
namespace {

constexpr cudaMemLocation kDevice{cudaMemLocationTypeDevice, 0}, kHost{cudaMemLocationTypeHost, 0};

class Managed {
 public:
  explicit Managed(size_t bytes) : bytes_(bytes) {
    check_cuda(cudaMallocManaged(&data_, bytes), "managed memory of a test");
  }
  ~Managed() { cudaFree(data_); }
  Managed(const Managed&) = delete;
  Managed& operator=(const Managed&) = delete;
  float* data() const { return data_; }
  int preferred() const { return where(cudaMemRangeAttributePreferredLocation, data_, bytes_); }
  int prefetched() const { return where(cudaMemRangeAttributeLastPrefetchLocation, data_, bytes_); }
  static int where(cudaMemRangeAttribute attribute, const void* data, size_t bytes) {
    int value = -9;
    check_cuda(cudaMemRangeGetAttribute(&value, sizeof value, attribute, data, bytes), "a range");
    return value;
  }

 private:
  float* data_ = nullptr;
  size_t bytes_;
};

void forget_errors() {
  while (cudaGetLastError() != cudaSuccess) continue;
}

TEST_CASE("managed: a range is where it was sent last, whole pages at a time") {
  const Managed m(5 * 4096 + 100);
  CHECK(m.preferred() == cudaInvalidDeviceId);
  CHECK(m.prefetched() == cudaInvalidDeviceId);
  CHECK(cudaMemAdvise(m.data(), 5 * 4096 + 100, cudaMemAdviseSetPreferredLocation, kHost) ==
        cudaSuccess);
  CHECK(m.preferred() == cudaCpuDeviceId);
  CHECK(cudaMemPrefetchAsync(m.data(), 5 * 4096 + 100, kDevice, 0) == cudaSuccess);
  CHECK(m.prefetched() == 0);
  // The second page and the third, for a range that touches them.
  CHECK(cudaMemPrefetchAsync(m.data() + 2047, 8, kHost, 0) == cudaSuccess);
  CHECK(m.prefetched() == cudaInvalidDeviceId);
  const auto page = [&](int i) {
    return Managed::where(cudaMemRangeAttributeLastPrefetchLocation, m.data() + 1024 * i, 4);
  };
  for (int i = 0; i < 6; ++i) CHECK(page(i) == (i == 1 || i == 2 ? cudaCpuDeviceId : 0));
  CHECK(m.preferred() == cudaCpuDeviceId);  // a prefetch leaves it alone
  CHECK(cudaMemAdvise(m.data(), 1, cudaMemAdviseUnsetPreferredLocation, kHost) == cudaSuccess);
  CHECK(m.preferred() == cudaInvalidDeviceId);
}

TEST_CASE("managed: what the runtime refuses") {
  void* p = nullptr;
  CHECK(cudaMallocManaged(&p, 0, cudaMemAttachGlobal) == cudaErrorInvalidValue);
  CHECK(cudaMallocManaged(&p, 64, 3) == cudaErrorInvalidValue);
  CHECK(cudaMallocManaged(&p, size_t{1} << 50, cudaMemAttachGlobal) == cudaErrorMemoryAllocation);
  const Managed m(10000);
  const DeviceArray<float> plain(int64_t{4096});
  std::vector<float> host(4096);
  const auto prefetch = [](const void* data, size_t bytes, cudaMemLocation to, unsigned flags = 0) {
    return cudaMemPrefetchAsync(data, bytes, to, flags);
  };
  const auto advise = [](const void* data, size_t bytes, cudaMemLocation to,
                         cudaMemoryAdvise advice = cudaMemAdviseSetPreferredLocation) {
    return cudaMemAdvise(data, bytes, advice, to);
  };
  CHECK(prefetch(m.data(), 10000, kDevice) == cudaSuccess);
  CHECK(prefetch(m.data() + 2499, 4, kDevice) == cudaSuccess);
  CHECK(prefetch(m.data(), 10001, kDevice) == cudaErrorInvalidValue);  // beyond its end
  CHECK(prefetch(m.data() + 2499, 5, kHost) == cudaErrorInvalidValue);
  CHECK(prefetch(m.data() - 1, 8, kDevice) == cudaErrorInvalidValue);
  CHECK(prefetch(m.data(), 0, kDevice) == cudaErrorInvalidValue);
  CHECK(prefetch(m.data(), 64, kDevice, 1) == cudaErrorInvalidValue);
  CHECK(prefetch(plain.data(), 64, kHost) == cudaErrorInvalidValue);  // not managed
  CHECK(prefetch(host.data(), 64, kDevice) == cudaErrorInvalidValue);
  CHECK(prefetch(m.data(), 64, {cudaMemLocationTypeDevice, 1}) == cudaErrorInvalidDevice);
  CHECK(prefetch(m.data(), 64, {static_cast<cudaMemLocationType>(3), 0}) == cudaErrorInvalidValue);
  CHECK(advise(m.data(), 10001, kHost) == cudaErrorInvalidValue);
  CHECK(advise(plain.data(), 64, kHost) == cudaErrorInvalidValue);
  CHECK(advise(m.data(), 64, {cudaMemLocationTypeDevice, 1}) == cudaErrorInvalidDevice);
  CHECK(advise(m.data(), 64, kHost, cudaMemAdviseSetReadMostly) == cudaErrorNotSupported);
  CHECK(cudaFreeAsync(m.data(), nullptr) == cudaErrorInvalidValue);  // no pool's
  int value = 0;
  CHECK(cudaMemRangeGetAttribute(&value, 8, cudaMemRangeAttributePreferredLocation, m.data(), 4) ==
        cudaErrorInvalidValue);
  CHECK(cudaMemRangeGetAttribute(&value, 4, cudaMemRangeAttributePreferredLocation, plain.data(),
                                 4) == cudaErrorInvalidValue);
  // Windows.
  emu::machine().concurrent_managed = false;
  CHECK(prefetch(m.data(), 64, kDevice) == cudaErrorInvalidDevice);
  CHECK(prefetch(m.data(), 64, kHost) == cudaErrorInvalidDevice);
  CHECK(advise(m.data(), 64, kDevice) == cudaErrorInvalidDevice);
  emu::machine().concurrent_managed = true;
  float* freed = nullptr;
  REQUIRE(cudaMallocManaged(&freed, 64) == cudaSuccess);
  CHECK(cudaFree(freed) == cudaSuccess);
  CHECK(prefetch(freed, 64, kDevice) == cudaErrorInvalidValue);
  CHECK(cudaFree(freed) == cudaErrorInvalidValue);
  forget_errors();
}

TEST_CASE("managed: takes the host's room, not the device's") {
  size_t before = 0, after = 0, total = 0;
  cudaMemGetInfo(&before, &total);
  const emu::Machine was = emu::machine();
  emu::machine().bytes = 1 << 20;
  {
    const Managed m(32 << 20);
    emu::machine().host_bytes = 56 << 20;
    float* more = nullptr;
    CHECK(cudaMallocManaged(&more, 32 << 20) == cudaErrorMemoryAllocation);
  }
  float* again = nullptr;
  CHECK(cudaMallocManaged(&again, 32 << 20) == cudaSuccess);
  cudaFree(again);
  emu::machine() = was;
  cudaMemGetInfo(&after, &total);
  CHECK(after == before);
  forget_errors();
}

TEST_CASE("managed: where a pointer points to") {
  const Managed m(100);
  const DeviceArray<float> plain(int64_t{8});
  float host = 0, *pinned = nullptr;
  REQUIRE(cudaMallocHost(&pinned, 64) == cudaSuccess);
  const auto type = [](const void* data) {
    cudaPointerAttributes attributes{};
    check_cuda(cudaPointerGetAttributes(&attributes, data), "a pointer");
    return attributes.type;
  };
  CHECK(type(m.data() + 24) == cudaMemoryTypeManaged);
  CHECK(type(plain.data() + 7) == cudaMemoryTypeDevice);
  CHECK(type(pinned + 15) == cudaMemoryTypeHost);
  CHECK(type(&host) == cudaMemoryTypeUnregistered);
  CHECK(cudaFreeHost(pinned) == cudaSuccess);
}

TEST_CASE("checker: kernels that leave managed memory, or use it after it was freed") {
  const DeviceArray<float> source(std::vector<float>(1024, 1.0f)), sink(int64_t{1024});
  const auto faults = [](float* y, const float* x) {
    const emu::Checker checker;
    copy_with_stride(y, x, 1);
    std::vector<emu::Fault> found;
    for (const emu::Report& r : checker.reports()) found.push_back(r.fault);
    forget_errors();
    return found;
  };
  using Faults = std::vector<emu::Fault>;
  {
    const Managed whole(4096), shorter(4092);
    CHECK(faults(whole.data(), source.data()).empty());
    CHECK(whole.data()[1023] == 1.0f);  // the host reads what the kernel wrote
    whole.data()[5] = 7.0f;             // and the kernel what the host did
    CHECK(faults(sink.data(), whole.data()).empty());
    CHECK(sink.get()[5] == 7.0f);
    CHECK((faults(shorter.data(), source.data()) == Faults{emu::Fault::out_of_bounds}));
  }
  float* freed = nullptr;
  REQUIRE(cudaMallocManaged(&freed, 4096) == cudaSuccess);
  REQUIRE(cudaFree(freed) == cudaSuccess);
  CHECK((faults(freed, source.data()) == Faults{emu::Fault::use_after_free}));
}

TEST_CASE("profiler: accesses to managed memory that was not fetched are counted") {
  const Managed m(4096);
  const DeviceArray<float> source(std::vector<float>(1024, 1.0f));
  const auto away = [&] {
    const emu::Profiler profiler;
    copy_with_stride(m.data(), source.data(), 1);
    return profiler.profiles().at(0).away;
  };
  CHECK(away() == 1024);
  CHECK(cudaMemPrefetchAsync(m.data(), 4096, kDevice, 0) == cudaSuccess);
  CHECK(away() == 0);
  CHECK(cudaMemPrefetchAsync(m.data(), 4096, kHost, 0) == cudaSuccess);
  CHECK(away() == 1024);
}

}  // namespace
}  // namespace lk::test
