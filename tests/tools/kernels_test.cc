// bin/kernels: the tables it prints and the page it writes.
#include <doctest/doctest.h>

#include "tests/tools/tool_run.h"

namespace lk {
namespace {

TEST_CASE("kernels report: one op, with what ptxas said of its kernel") {
  const test::TempDir dir;
  test::write_file(dir / "optimizer.gpu.ptxas",
                   "ptxas info    : Compiling entry function "
                   "'_ZN2lk12_GLOBAL__N_112adamw_kernelILi4EEEvv' for 'sm_80'\n"
                   "    0 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads\n"
                   "ptxas info    : Used 64 registers, 16 bytes smem, 432 bytes cmem[0]\n");
  const test::Outcome o =
      test::run(dir, test::tool("kernels") + " report --op adamw_update --objects " +
                         dir.path().string() + " --html " + (dir / "page.html").string());
  CAPTURE(o.text);
  CHECK(o.code == 0);
  CHECK(o.says("adamw_update "));
  CHECK(o.says("adamw_kernel<4>"));
  CHECK(o.says("1 kernels were compiled, 1 spill registers"));
  CHECK_FALSE(o.says("Launches of a training step"));
  const std::string page = test::read_file(dir / "page.html");
  CHECK(page.find("<td>adamw_update<td>") != std::string::npos);
  CHECK(page.find("<td>adamw_kernel&lt;4><td>sm_80<td>64<td>4<td>16<td>0<td>256<td") !=
        std::string::npos);
  CHECK(page.find("style=width:50.0%>0.500") != std::string::npos);  // 64 registers: 32 of 64 warps
}

TEST_CASE("kernels report: an op that is none, a folder that is none") {
  const test::TempDir dir;
  const test::Outcome none = test::run(dir, test::tool("kernels") + " report --op nothing");
  CHECK(none.code == 1);
  CHECK(none.says("no op's name has 'nothing' in it"));
  const test::Outcome bare =
      test::run(dir, test::tool("kernels") + " report --op square_sum --objects " +
                         (dir / "missing").string());
  CHECK(bare.code == 0);
  CHECK(bare.says("run `make cuda-objects` where nvcc is"));
}

}  // namespace
}  // namespace lk
