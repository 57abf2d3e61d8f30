#include "engine/files/checkpoint.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "engine/files/atomic_file.h"
#include "engine/files/folder_lock.h"
#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("checkpoint: a damaged one is named and the one before it is used") {
  const test::TempDir dir;
  const std::vector<NamedTensor> tensors{{"w", Tensor::full({5}, DType::f32, 0.5)}};
  for (const int64_t step : {10, 20, 30})
    save_checkpoint(checkpoint_path(dir.path(), step), {{"step", std::to_string(step)}}, tensors);
  std::vector<std::string> damaged;
  CHECK(latest_checkpoint(dir.path(), damaged)->integer("step") == 30);
  std::string bytes = test::read_file(checkpoint_path(dir.path(), 30));
  bytes.back() ^= 1;
  test::write_file(checkpoint_path(dir.path(), 30), bytes);
  CHECK(latest_checkpoint(dir.path(), damaged)->integer("step") == 20);
  REQUIRE(damaged.size() == 1);
  CHECK(damaged[0].find("tensor 'w' is damaged") != std::string::npos);
  prune_checkpoints(dir.path(), 1);
  CHECK(!std::filesystem::exists(checkpoint_path(dir.path(), 20)));
  const test::TempDir empty;
  CHECK(!latest_checkpoint(empty.path(), damaged).has_value());
}

TEST_CASE("a full disk is an error and the old file stays") {
  const test::TempDir dir;
  test::write_file(dir / "f", "old");
  // A process of its own whose files may have 1000 bytes at most.
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    int code = 1;
    try {
      write_file_atomically(dir / "f", std::string(5000, 'x'));
    } catch (const Error& e) {
      code = std::string(e.what()).find("unchanged") != std::string::npos ? 0 : 2;
    }
    _exit(code);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(test::read_file(dir / "f") == "old");
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("what a killed run left half-written goes when the next one takes the folder") {
  const test::TempDir dir;
  std::filesystem::create_directories(dir / "adapter" / "deep");
  const std::vector<std::string> gone{".a.safetensors.tmp-123", "adapter/.b.tmp-4"},
      stays{"a.tmp-123", ".tmp-", ".a.tmp-12x", "adapter/deep/.c.tmp-5",
            "checkpoint-1.safetensors"};
  for (const auto* names : {&gone, &stays})
    for (const std::string& name : *names) test::write_file(dir / name, "x");
  const FolderLock lock(dir.path());
  for (const std::string& name : gone) CHECK(!std::filesystem::exists(dir / name));
  for (const std::string& name : stays) CHECK(std::filesystem::exists(dir / name));
}

TEST_CASE("two runs on one folder: the second is told") {
  const test::TempDir dir;
  const FolderLock first(dir.path());
  CHECK(test::error_of([&] {
          FolderLock second(dir.path());
        }).find("another run (process " + std::to_string(getpid())) != std::string::npos);
}

}  // namespace
}  // namespace lk
