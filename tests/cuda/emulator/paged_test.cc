// Paged memory where there is little of it, and what only the profiler counts: accesses to pages
// that were not fetched.
#include "engine/paged.h"

#include "cuda/emulator/emulator.h"
#include "tests/cuda/device.h"
#include "tests/cuda/paged.h"
#include "tests/support.h"

namespace lk::test {
namespace {

// Accesses to pages that were not fetched, by all kernels of a profile.
int64_t away(const emu::Profiler& profiler) {
  int64_t total = 0;
  for (const emu::Profile& p : profiler.profiles()) total += p.away;
  return total;
}

TEST_CASE("cuda: a paged optimizer fetches each state before its kernel") {
  for (const std::string name : {"paged-adamw", "paged-adamw8bit"}) {
    CAPTURE(name);
    const auto groups = some_groups();
    const auto optimizer = make_optimizer({.name = name}, groups);
    for (uint64_t step = 1; step <= 3; ++step) {
      set_gradients(groups, step);
      const emu::Profiler profiler;
      optimizer->step(1e-2);
      CHECK(away(profiler) == 0);
      CHECK(!profiler.profiles().empty());
    }
  }
}

TEST_CASE("cuda: paged memory is where it was sent last, and zeros before") {
  const auto pages =
      PagedMemory::create(Device::cuda, "", 3 * PagedMemory::bytes_for({5000}, DType::f32));
  const Tensor t = pages->take({5000}, DType::f32), other = pages->take({5000}, DType::f32);
  const std::vector<float> zeros(5000, 0.0f);
  CHECK((t.to_vector<float>() == zeros));
  PagedMemory::fetch(t);
  CHECK(place_of(t).prefetched == 0);
  CHECK(place_of(other).prefetched != 0);
  const Tensor values = random_tensor({5000}, DType::f32, 1);
  t.copy_from(values);
  PagedMemory::put_away(t);
  CHECK(place_of(t).prefetched == cudaCpuDeviceId);
  CHECK(same_bits(t.to(Device::cpu), values));
  CHECK((other.to_vector<float>() == zeros));
  // A kernel may use what was not fetched, and that shows.
  const emu::Profiler profiler;
  (void)t.to(DType::bf16);
  CHECK(away(profiler) >= 5000 / 8);
  (void)pages->take({5000}, DType::f32);
  CHECK(error_of([&] { PagedMemory::fetch(values.to(Device::cuda)); }).find("invalid argument") !=
        std::string::npos);  // of what is not managed
}

TEST_CASE("cuda: a device with no room for the states trains with paged ones") {
  const auto groups = some_groups();
  set_gradients(groups, 1);
  const emu::Machine was = emu::machine();
  size_t left = 0, total = 0;
  check_cuda(cudaMemGetInfo(&left, &total), "memory");
  emu::machine().bytes = was.bytes - left + (400 << 10);  // one of four states of 400 kB
  const std::string message =
      error_of([&] { make_optimizer({.name = "adamw"}, groups)->step(1e-2); });
  CHECK(message.find("for optimizer could not be had") != std::string::npos);
  CHECK_NOTHROW(make_optimizer({.name = "paged-adamw"}, groups)->step(1e-2));
  emu::machine() = was;
}

TEST_CASE("cuda: where managed memory cannot be had, that is said when the optimizer is made") {
  const auto groups = some_groups();
  const auto message_of = [&] {
    return error_of([&] { (void)make_optimizer({.name = "paged-adamw"}, groups); });
  };
  const emu::Machine was = emu::machine();
  emu::machine().concurrent_managed = false;
  const std::string old = message_of();
  emu::machine() = was;
  CHECK(old.find("no managed memory that moves by pages") != std::string::npos);
  CHECK(old.find("use --optimizer adamw8bit") != std::string::npos);
  emu::machine().host_bytes = 1 << 20;
  const std::string full = message_of();
  emu::machine() = was;
  CHECK(full.find("of managed memory, which lies on the host, could not be had: out of memory") !=
        std::string::npos);
  CHECK(error_of([] {
          PagedMemory::create(Device::cuda, "", size_t{1} << 50);
        }).find("out of memory on the host: 1125899906842624 bytes") != std::string::npos);
  CHECK_NOTHROW((void)make_optimizer({.name = "paged-adamw"}, groups));  // and goes on
}

}  // namespace
}  // namespace lk::test
