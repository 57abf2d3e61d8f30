#include "cuda/ptxas.h"

#include "tests/support.h"

namespace lk::test {
namespace {

TEST_CASE("ptxas: every kernel's name, registers, spills and shared memory") {
  const TempDir dir;
  write_file(dir / "norm.gpu.ptxas",
             "ptxas info    : 0 bytes gmem\n"
             "ptxas info    : Compiling entry function "
             "'_ZN2lk44_GLOBAL__N__e36da0aa_7_norm_cu_4df2979b_518615backward_"
             "kernelILb0ELi512EfEEvPT1_' for "
             "'sm_80'\n"
             "ptxas info    : Function properties for _ZN2lk\n"
             "    16 bytes stack frame, 20 bytes spill stores, 28 bytes spill loads\n"
             "ptxas info    : Used 128 registers, used 1 barriers, 16 bytes cumulative stack size, "
             "128 bytes "
             "smem, 432 bytes cmem[0]\n"
             "ptxas info    : Compiling entry function '_ZN2lk3addEPf' for 'sm_90'\n"
             "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
             "ptxas info    : Used 31 registers, 432 bytes cmem[0]\n");
  write_file(dir / "norm.gpu.o", "no such file");
  const std::vector<Compiled> all = read_ptxas(dir.path());
  REQUIRE(all.size() == 2);
  CHECK(all[0].source == "norm.cu");
  CHECK(all[0].kernel == "backward_kernel<false, 512, float>");
  CHECK(all[0].arch == "sm_80");
  CHECK(all[0].registers == 128);
  CHECK(all[0].spilled_bytes == 20);
  CHECK(all[0].shared_bytes == 128);
  CHECK(all[1].kernel == "add");
  CHECK(all[1].arch == "sm_90");
  CHECK(all[1].registers == 31);
  CHECK(all[1].spilled_bytes == 0);
  CHECK(all[1].shared_bytes == 0);
  CHECK(read_ptxas(dir / "missing").empty());
}

TEST_CASE("occupancy: by registers, shared memory, blocks and warps") {
  const auto of = [](const char* arch, int registers, int threads, size_t shared) {
    return occupancy({"", "", arch, registers, 0, 0}, threads, shared);
  };
  CHECK(of("sm_80", 32, 256, 0) == 1.0);            // 8 blocks of 8 warps
  CHECK(of("sm_80", 128, 128, 0) == 0.25);          // 16 warps' registers
  CHECK(of("sm_80", 33, 1024, 0) == 0.5);           // 40 a thread: 51 warps, one block of 32
  CHECK(of("sm_80", 32, 32, 0) == 0.5);             // 32 blocks of a warp
  CHECK(of("sm_80", 64, 128, 80 << 10) == 0.125);   // 2 blocks by shared memory
  CHECK(of("sm_90", 64, 128, 100 << 10) == 0.125);  // as many of more of it
  CHECK(of("sm_90", 64, 128, 228 << 10) == 0);
  CHECK(of("sm_86", 32, 256, 0) == 1.0);  // 6 blocks: 48 warps
  CHECK(error_of([&] { of("sm_75", 32, 32, 0); }) ==
        "the multiprocessors of sm_75 are not known here");
}

}  // namespace
}  // namespace lk::test
