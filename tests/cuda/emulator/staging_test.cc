// The ring of pinned memory, and the emulator's pinned memory that would show its misuse: what a
// copy reads must stay until it was waited for, what it writes is not there before.
#include "cuda/staging.h"

#include <doctest/doctest.h>

#include <memory>
#include <thread>

#include "cuda/emulator/emulator.h"
#include "engine/device.h"
#include "tests/cuda/device.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

std::vector<uint8_t> some_bytes(size_t count, unsigned seed) {
  std::vector<uint8_t> bytes(count);
  uint32_t x = 2654435761u * (seed + 1);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>((x = x * 1664525u + 1013904223u) >> 24);
  return bytes;
}

std::vector<emu::Fault> faults_of(const emu::Checker& checker) {
  std::vector<emu::Fault> found;
  for (const emu::Report& r : checker.reports()) found.push_back(r.fault);
  return found;
}
using Faults = std::vector<emu::Fault>;

TEST_CASE("staging: content of any size, up, down and up again, through halves of 256 bytes") {
  const emu::Checker checker;
  Staging ring(256);
  unsigned seed = 0;
  // Below, at and above a half and the ring; many times round.
  for (const size_t count : {1, 3, 63, 64, 65, 255, 256, 257, 511, 512, 513, 1009, 5000}) {
    CAPTURE(count);
    const DeviceArray<uint8_t> there(static_cast<int64_t>(count));
    std::vector<uint8_t> source = some_bytes(count, ++seed);
    const std::vector<uint8_t> kept = source;
    REQUIRE(ring.upload(Cuda{}, there.data(), source.data(), count));
    std::fill(source.begin(), source.end(), uint8_t{0});  // is ours again
    std::vector<uint8_t> back(count + 16, 0x5a);
    REQUIRE(ring.download(Cuda{}, back.data() + 8, there.data(), count));
    CHECK(std::equal(kept.begin(), kept.end(), back.begin() + 8));
    for (size_t i = 0; i < 8; ++i) CHECK((back[i] == 0x5a && back[count + 8 + i] == 0x5a));
  }
  CHECK(checker.text() == "");
}

TEST_CASE("staging: many small copies do not wait, and share halves") {
  const emu::Checker checker;
  {
    Staging ring(1024);
    std::vector<std::vector<uint8_t>> all;
    std::vector<std::unique_ptr<DeviceArray<uint8_t>>> there;
    for (unsigned i = 0; i < 100; ++i) {
      all.push_back(some_bytes(1 + i % 37, i));
      there.push_back(std::make_unique<DeviceArray<uint8_t>>(all.back().size()));
    }
    cudaDeviceSynchronize();
    for (size_t i = 0; i < all.size(); ++i) {
      std::vector<uint8_t> passing = all[i];
      ring.upload(Cuda{}, there[i]->data(), passing.data(), passing.size());
    }
    // As many as the ring has room for are on their way: 16 of 64 bytes in each half.
    CHECK(emu::copies().in_flight >= 16);
    CHECK(emu::copies().in_flight <= 32);
    for (size_t i = 0; i < all.size(); ++i) CHECK(there[i]->get() == all[i]);
    std::vector<uint8_t> back(all[99].size());
    ring.download(Cuda{}, back.data(), there[99]->data(), back.size());
    CHECK(back == all[99]);
  }
  CHECK(emu::copies().in_flight == 0);
  CHECK(checker.text() == "");
}

TEST_CASE("staging: two threads and two streams use one ring") {
  const emu::Checker checker;
  cudaStream_t other = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking) == cudaSuccess);
  {
    Staging ring(128);
    for (unsigned i = 0; i < 20; ++i) {
      const Cuda cuda{i % 3 == 0 ? other : nullptr};
      const std::vector<uint8_t> source = some_bytes(100 + 13 * i, i);
      const DeviceArray<uint8_t> there(static_cast<int64_t>(source.size()));
      std::vector<uint8_t> back(source.size());
      std::thread([&] { ring.upload(cuda, there.data(), source.data(), source.size()); }).join();
      ring.download(cuda, back.data(), there.data(), back.size());
      CHECK(back == source);
    }
  }
  cudaStreamDestroy(other);
  CHECK(checker.text() == "");
}

TEST_CASE("staging: without pinned memory nothing is done, and the caller is told") {
  const size_t was = emu::machine().host_bytes;
  emu::machine().host_bytes = 0;
  Staging ring(64);
  const DeviceArray<uint8_t> there(std::vector<uint8_t>{1, 2, 3});
  const std::vector<uint8_t> source{4, 5, 6};
  CHECK(!ring.upload(Cuda{}, there.data(), source.data(), 3));
  emu::machine().host_bytes = was;
  std::vector<uint8_t> back(3);
  CHECK(!ring.download(Cuda{}, back.data(), there.data(), 3));  // and it does not ask again
  CHECK(back == std::vector<uint8_t>{0, 0, 0});
  CHECK(there.get() == std::vector<uint8_t>{1, 2, 3});
  CHECK(cudaGetLastError() == cudaSuccess);
}

TEST_CASE("staging: tensors go through it in both directions, in pieces above 4 MiB") {
  const emu::Checker checker;
  for (const int64_t count : {int64_t{1}, int64_t{1001}, int64_t{(9 << 18) + 3}}) {
    const Tensor host = random_tensor({count}, DType::f32, 5);
    const emu::Copies before = emu::copies();
    const Tensor there = host.to(Device::cuda);
    const int64_t pieces = emu::copies().pinned - before.pinned;
    CHECK(pieces >= (count > 1 << 20 ? 3 : 1));
    CHECK(pieces <= (count > 1 << 20 ? 4 : 2));
    CHECK(emu::copies().in_flight >= 1);  // and the host does not wait for the last one
    CHECK(same_bits(there.to(Device::cpu), host));
    CHECK(emu::copies().pinned > before.pinned + pieces);
    CHECK(emu::copies().pageable == before.pageable);
  }
  CHECK(checker.text() == "");
}

TEST_CASE("emulator: pinned memory that is changed, freed or shared while a copy runs is found") {
  uint8_t* pinned = nullptr;
  const DeviceArray<uint8_t> there(std::vector<uint8_t>(64, 7));
  REQUIRE(cudaMallocHost(&pinned, 64) == cudaSuccess);
  std::fill_n(pinned, 64, uint8_t{1});
  const auto up = [&](cudaStream_t stream = nullptr) {
    return cudaMemcpyAsync(there.data(), pinned, 64, cudaMemcpyHostToDevice, stream);
  };
  const auto down = [&] {
    return cudaMemcpyAsync(pinned, there.data(), 64, cudaMemcpyDeviceToHost, nullptr);
  };
  cudaEvent_t early = nullptr, late = nullptr;
  REQUIRE(cudaEventCreateWithFlags(&early, cudaEventDisableTiming) == cudaSuccess);
  REQUIRE(cudaEventCreateWithFlags(&late, cudaEventDisableTiming) == cudaSuccess);
  {
    const emu::Checker checker;  // as it should be
    CHECK(up() == cudaSuccess);
    CHECK(cudaEventRecord(late, nullptr) == cudaSuccess);
    CHECK(cudaEventSynchronize(late) == cudaSuccess);
    pinned[63] = 2;
    CHECK(down() == cudaSuccess);
    CHECK(pinned[0] == 0xff);  // not there yet
    CHECK(cudaStreamSynchronize(nullptr) == cudaSuccess);
    CHECK(pinned[0] == 1);
    CHECK(up() == cudaSuccess);
    CHECK(down() == cudaSuccess);  // on the same stream: in order
    CHECK(up() == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    CHECK(checker.text() == "");
  }
  {
    const emu::Checker checker;  // the event came before the copy
    CHECK(cudaEventRecord(early, nullptr) == cudaSuccess);
    CHECK(up() == cudaSuccess);
    CHECK(cudaEventSynchronize(early) == cudaSuccess);
    pinned[63] = 3;
    CHECK(checker.text() == "");
    CHECK(cudaStreamSynchronize(nullptr) == cudaSuccess);
    CHECK((faults_of(checker) == Faults{emu::Fault::in_flight}));
  }
  {
    const emu::Checker checker;  // the host writes where a copy will
    CHECK(down() == cudaSuccess);
    pinned[0] = 9;
    CHECK(cudaStreamSynchronize(nullptr) == cudaSuccess);
    CHECK((faults_of(checker) == Faults{emu::Fault::in_flight}));
  }
  cudaStream_t other = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking) == cudaSuccess);
  {
    const emu::Checker checker;  // the default stream does not wait for that one
    CHECK(up(other) == cudaSuccess);
    CHECK(cudaStreamSynchronize(nullptr) == cudaSuccess);
    CHECK(emu::copies().in_flight == 1);
    CHECK(down() == cudaSuccess);
    CHECK((faults_of(checker) == Faults{emu::Fault::in_flight}));
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
  }
  {
    const emu::Checker checker;  // unless it is told to
    CHECK(up(other) == cudaSuccess);
    CHECK(cudaEventRecord(late, other) == cudaSuccess);
    CHECK(cudaStreamWaitEvent(nullptr, late) == cudaSuccess);
    CHECK(down() == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    CHECK(checker.text() == "");
  }
  CHECK(cudaMemcpyAsync(there.data(), pinned + 1, 64, cudaMemcpyHostToDevice, nullptr) ==
        cudaErrorInvalidValue);  // past its end
  while (cudaGetLastError() != cudaSuccess) continue;
  {
    const emu::Checker checker;
    CHECK(up() == cudaSuccess);
    CHECK(cudaFreeHost(pinned) == cudaSuccess);
    CHECK((faults_of(checker) == Faults{emu::Fault::in_flight}));
  }
  CHECK(cudaFreeHost(pinned) == cudaErrorInvalidValue);
  CHECK(cudaEventRecord(nullptr, nullptr) == cudaErrorInvalidResourceHandle);
  float milliseconds = 0;
  CHECK(cudaEventElapsedTime(&milliseconds, early, late) == cudaErrorInvalidResourceHandle);
  cudaEventDestroy(early), cudaEventDestroy(late), cudaStreamDestroy(other);
  while (cudaGetLastError() != cudaSuccess) continue;
}

}  // namespace
}  // namespace lk::test
