#include "tests/cuda/emulator/processes.h"

#include <omp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "cuda/emulator/meeting.h"
#include "tests/support.h"

namespace lk::test {
namespace {

class Forked : public Communicator {
 public:
  Forked(const std::string& name, int rank, int size)
      : Communicator(rank, size), meeting_(name, rank, size) {
    require(meeting_.problem() == emu::Meeting::Problem::none, "processes of a test do not meet");
  }
  void all_reduce(const std::vector<Tensor>& tensors) override {
    for (const Tensor& t : tensors) {
      const auto count = static_cast<size_t>(t.numel());
      check(t.dtype() == DType::f64 ? meeting_.all_reduce(t.data<double>(), count)
                                    : meeting_.all_reduce(t.data<float>(), count));
    }
  }
  void broadcast(const std::vector<Tensor>& tensors) override {
    for (const Tensor& t : tensors)
      check(meeting_.broadcast(t.raw(), static_cast<size_t>(t.bytes()), 0));
  }

 private:
  static void check(bool met) { require(met, "another process of a test did not come"); }
  emu::Meeting meeting_;
};

[[noreturn]] void work(const std::string& name, int rank, int size, const std::string& file,
                       const std::function<std::vector<double>(Communicator&)>& f) {
  for (const int signal : {SIGABRT, SIGSEGV, SIGTERM}) std::signal(signal, SIG_DFL);
  omp_set_num_threads(1);
  try {
    Forked processes(name, rank, size);
    const std::vector<double> values = f(processes);
    write_file(file,
               {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double)});
    _exit(0);
  } catch (const std::exception& e) {
    write_file(file, e.what());
  }
  _exit(1);
}

}  // namespace

std::vector<ProcessOutcome> in_processes(
    int count, const std::function<std::vector<double>(Communicator& processes)>& f) {
  const TempDir dir;
  const std::string name = emu::new_meeting();
  const auto file = [&](int rank) { return (dir / std::to_string(rank)).string(); };
  std::vector<pid_t> children;
  for (int rank = 0; rank < count; ++rank) {
    children.push_back(fork());
    REQUIRE(children.back() >= 0);
    if (children.back() == 0) work(name, rank, count, file(rank), f);
  }
  std::vector<ProcessOutcome> out(children.size());
  for (size_t left = children.size(); left > 0; --left) {
    int status = 0;
    const pid_t ended = wait(&status);
    const auto rank =
        static_cast<size_t>(std::find(children.begin(), children.end(), ended) - children.begin());
    REQUIRE(rank < children.size());
    children[rank] = -1;
    const std::string said = read_file(file(static_cast<int>(rank)));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      out[rank].values.resize(said.size() / sizeof(double));
      std::memcpy(out[rank].values.data(), said.data(), said.size());
      continue;
    }
    // Ended by us, where it has said nothing.
    CHECK((WIFEXITED(status) || WTERMSIG(status) == SIGKILL));
    out[rank].error = said;
    for (const pid_t child : children)
      if (child > 0) kill(child, SIGKILL);
  }
  return out;
}

}  // namespace lk::test
