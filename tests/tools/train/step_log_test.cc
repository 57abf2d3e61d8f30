#include "tools/train/step_log.h"

#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("step log: a resumed run goes on after its checkpoint, whatever stood behind") {
  const test::TempDir dir;
  {
    StepLog log(dir.path(), 0);
    for (int64_t step = 1; step <= 3; ++step) log.add(step, 0.5, 1.0, 1e-3, 64);
    log.flush();
  }
  const std::string three = test::read_file(dir / "log.jsonl");
  const std::string two = three.substr(0, three.find("{\"step\":3"));
  test::write_file(dir / "log.jsonl", three + "{\"step\":4,\"lo");  // cut by a kill
  {
    StepLog log(dir.path(), 2);
    log.flush();
  }
  CHECK(test::read_file(dir / "log.jsonl") == two);
  {
    StepLog log(dir.path(), 2);
    log.add(3, 0.5, 1.0, 1e-3, 64);
    log.flush();
  }
  CHECK(test::read_file(dir / "log.jsonl") == three);
  StepLog fresh(dir.path(), 0);
  CHECK(test::read_file(dir / "log.jsonl").empty());
}

}  // namespace
}  // namespace lk
