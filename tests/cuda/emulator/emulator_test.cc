#include <algorithm>
#include <numeric>

#include "cuda/emulator/emulator.h"
#include "tests/cuda/device.h"
#include "tests/cuda/emulator/access.h"

namespace lk::test {
namespace {

TEST_CASE("emulator: the seed shuffles blocks and threads, each runs once") {
  std::vector<std::vector<int>> seen;
  for (const uint64_t seed : {0, 1, 1, 2}) {
    emu::set_order(seed);
    const DeviceArray<int> ticket(int64_t{256}), counter(std::vector<int>{0});
    take_tickets(ticket.data(), counter.data());
    seen.push_back(ticket.get());
    auto sorted = seen.back();
    std::sort(sorted.begin(), sorted.end());
    std::vector<int> each(256);
    std::iota(each.begin(), each.end(), 0);
    CHECK((sorted == each));
  }
  emu::set_order(0);
  CHECK(std::is_sorted(seen[0].begin(), seen[0].end()));
  CHECK((seen[1] == seen[2]));
  CHECK((seen[1] != seen[0]));
  CHECK((seen[1] != seen[3]));
}

TEST_CASE("emulator: shuffles, votes and sums over a warp") {
  const DeviceArray<int> result(int64_t{kExchanges * 32});
  const emu::Checker checker;
  exchange_all(result.data());
  CHECK(checker.text() == "");
  const auto got = result.get();
  for (int lane = 0; lane < 32; ++lane) {
    const int want[kExchanges] = {105,
                                  100 + (lane < 3 ? lane : lane - 3),
                                  100 + (lane > 28 ? lane : lane + 3),
                                  100 + (lane ^ 4),
                                  100 + (lane % 8 > 4 ? lane : lane + 3),
                                  0x55555555,
                                  1,
                                  0,
                                  32 * 100 + 31 * 16};
    for (int i = 0; i < kExchanges; ++i) {
      CAPTURE(lane);
      CAPTURE(i);
      CHECK(got[static_cast<size_t>(i * 32 + lane)] == want[i]);
    }
  }
}

TEST_CASE("emulator: the runtime refuses what a device refuses") {
  void* data = nullptr;
  CHECK(cudaMalloc(&data, size_t{1} << 50) == cudaErrorMemoryAllocation);
  CHECK(data == nullptr);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
  CHECK(cudaGetLastError() == cudaSuccess);
  REQUIRE(cudaMalloc(&data, 100) == cudaSuccess);
  char host[200] = {};
  CHECK(cudaMemcpy(data, host, 100, cudaMemcpyHostToDevice) == cudaSuccess);
  CHECK(cudaMemcpy(data, host, 101, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(data, host, 100, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  CHECK(cudaMemset(static_cast<char*>(data) + 50, 0, 51) == cudaErrorInvalidValue);
  CHECK(cudaFree(data) == cudaSuccess);
  CHECK(cudaFree(data) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(host, data, 1, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  CHECK(cudaSetDevice(1) == cudaErrorInvalidDevice);
  while (cudaGetLastError() != cudaSuccess) continue;
}

TEST_CASE("emulator: managed memory is one for host and kernels; streams and events") {
  float* managed = nullptr;
  REQUIRE(cudaMallocManaged(&managed, 8192) == cudaSuccess);
  for (int i = 0; i < 2048; ++i) managed[i] = static_cast<float>(i);
  const cudaMemLocation device{cudaMemLocationTypeDevice, 0};
  CHECK(cudaMemAdvise(managed, 8192, cudaMemAdviseSetPreferredLocation, device) == cudaSuccess);
  CHECK(cudaMemPrefetchAsync(managed, 8192, device, 0) == cudaSuccess);
  cudaStream_t stream = nullptr;
  cudaEvent_t begin = nullptr, end = nullptr;
  REQUIRE(cudaStreamCreate(&stream) == cudaSuccess);
  REQUIRE(cudaEventCreate(&begin) == cudaSuccess);
  REQUIRE(cudaEventCreate(&end) == cudaSuccess);
  CHECK(cudaEventRecord(begin, stream) == cudaSuccess);
  copy_with_stride(managed + 1024, managed, 1);
  CHECK(cudaEventRecord(end, stream) == cudaSuccess);
  CHECK(cudaStreamWaitEvent(stream, end) == cudaSuccess);
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  float milliseconds = -1;
  CHECK(cudaEventElapsedTime(&milliseconds, begin, end) == cudaSuccess);
  CHECK(milliseconds > 0);
  for (int i = 0; i < 1024; ++i) CHECK(managed[1024 + i] == static_cast<float>(i));
  cudaEventDestroy(begin), cudaEventDestroy(end), cudaStreamDestroy(stream), cudaFree(managed);
}

}  // namespace
}  // namespace lk::test
