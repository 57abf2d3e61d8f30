// MPI (Message Passing Interface Forum, "MPI: A Message-Passing Interface Standard", version 4.0)
// behind the interface of engine/communicator.h. It is started only where a launcher is seen: its
// start takes longer than many a tool runs.
#include <mpi.h>

#include <algorithm>
#include <exception>
#include <string>

#include "engine/communicator.h"

namespace lk {
namespace {

void check(int status, const char* what) {
  if (status == MPI_SUCCESS) [[likely]]
    return;
  std::string text(MPI_MAX_ERROR_STRING, '\0');
  int length = 0;
  MPI_Error_string(status, text.data(), &length);
  text.resize(static_cast<size_t>(length));
  fail("MPI: {}: {}", what, text);
}

MPI_Datatype type_of(const Tensor& t) {
  if (t.dtype() == DType::f64) return MPI_DOUBLE;
  require(t.dtype() == DType::f32, "MPI: a sum over processes in {}; it is of f32 or f64",
          name_of(t.dtype()));
  return MPI_FLOAT;
}

int of_world(int (*f)(MPI_Comm, int*)) {
  int value = 0;
  check(f(MPI_COMM_WORLD, &value), "the processes");
  return value;
}

// Calls f(data, count) for parts of the tensor whose counts an int can hold.
template <class F>
void in_parts(const Tensor& t, int64_t count, F f) {
  constexpr int64_t kMost = int64_t{1} << 30;
  const int64_t size = count > 0 ? t.bytes() / count : 0;
  for (int64_t i = 0; i < count; i += kMost)
    f(static_cast<char*>(t.raw()) + i * size, static_cast<int>(std::min(kMost, count - i)));
}

class Mpi : public Communicator {
 public:
  Mpi() : Communicator(of_world(MPI_Comm_rank), of_world(MPI_Comm_size)) {}
  // After an error the others may wait for this process in vain, so it does not wait for them: the
  // launcher ends them all.
  ~Mpi() override {
    if (std::uncaught_exceptions() == 0) MPI_Finalize();
  }
  Mpi(const Mpi&) = delete;
  Mpi& operator=(const Mpi&) = delete;

  void all_reduce(const std::vector<Tensor>& tensors) override {
    for (const Tensor& t : tensors)
      in_parts(t, t.numel(), [&](void* data, int count) {
        check(MPI_Allreduce(MPI_IN_PLACE, data, count, type_of(t), MPI_SUM, MPI_COMM_WORLD),
              "a sum over the processes");
      });
  }
  void broadcast(const std::vector<Tensor>& tensors) override {
    for (const Tensor& t : tensors)
      in_parts(t, t.bytes(), [&](void* data, int count) {
        check(MPI_Bcast(data, count, MPI_BYTE, 0, MPI_COMM_WORLD), "a broadcast");
      });
  }
};

}  // namespace

std::unique_ptr<Communicator> join_processes() {
  if (*launcher() == '\0') return std::make_unique<Alone>();
  int threads = 0;
  check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &threads), "it cannot start");
  check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "its errors");
  return std::make_unique<Mpi>();
}

bool built_with_mpi() { return true; }

int rank_on_machine() {
  if (*launcher() == '\0') return 0;
  MPI_Comm here = MPI_COMM_NULL;
  check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here),
        "the processes of this machine");
  int rank = 0;
  check(MPI_Comm_rank(here, &rank), "the processes of this machine");
  check(MPI_Comm_free(&here), "the processes of this machine");
  return rank;
}

}  // namespace lk
