#include "engine/cpu.h"

#include <sys/wait.h>

#include "tests/support.h"

namespace lk {
namespace {

struct Outcome {
  int code;
  std::string text;
};

// Runs this test binary again with other kernels.
Outcome run_again(const test::TempDir& dir, const std::string& environment,
                  const std::string& files) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const auto log = dir / "log";
  const int status = std::system(
      (environment + " " + self + " -sf='" + files + "' >" + log.string() + " 2>&1").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, test::read_file(log)};
}

TEST_CASE("the kernels of every instruction set that this CPU has pass the tests of the ops") {
  const test::TempDir dir;
  const struct {
    IsaLevel level;
    const char *library, *files;
  } runs[] = {
      // The limit on the library's instructions makes it lack bf16, as an older CPU does.
      {IsaLevel::avx2, "ONEDNN_MAX_CPU_ISA=AVX2", "*tests/ops/*,*tests/engine/gemm_test.cc"},
      // What tells these from the best of today's CPUs: products with 4-bit codes, and matrix tiles
      // in attention.
      {IsaLevel::avx512, "", "*tests/ops/attention_test.cc,*tests/quant/linear_test.cc"},
      {IsaLevel::vnni, "", "*tests/ops/attention_test.cc"}};
  for (const auto& r : runs) {
    if (r.level >= isa_level()) continue;  // the best one is what the other tests run with
    const Outcome o = run_again(
        dir, std::string(r.library) + " LORIKEET_ISA=" + std::string(name_of(r.level)), r.files);
    CAPTURE(o.text);
    CHECK(o.code == 0);
    // A small binary (make bin/tests-x) may hold no such test.
    if (std::filesystem::read_symlink("/proc/self/exe").filename() == "tests")
      CHECK(o.text.find("\n0 passed") == std::string::npos);
  }
}

TEST_CASE("LORIKEET_ISA: a level that is unknown or missing is an error") {
  const test::TempDir dir;
  if (isa_level() == IsaLevel::generic) return;
  const Outcome o = run_again(dir, "LORIKEET_ISA=sse9", "*engine/cpu_test.cc");
  CHECK(o.code != 0);
  CHECK(o.text.find("LORIKEET_ISA is 'sse9'; it can be avx2, avx512, vnni or amx") !=
        std::string::npos);
}

}  // namespace
}  // namespace lk
