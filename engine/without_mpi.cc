// A build without MPI: each process is alone.
#include <cstdlib>
#include <string_view>

#include "engine/communicator.h"

namespace lk {

std::unique_ptr<Communicator> join_processes() {
  const std::string_view name = launcher();
  const char* const value = name.empty() ? nullptr : std::getenv(name.data());
  // PMIx says which process this is, the others how many there are.
  require(!value || std::string_view(value) == (name == "PMIX_RANK" ? "0" : "1"),
          "this process was started as one of several ({}={}), but this build has no MPI: mpicxx "
          "was not found, or MPI=0 was given to make. Install an MPI (Debian: libopenmpi-dev) and "
          "build again, or start one process",
          name, value);
  return std::make_unique<Alone>();
}

int rank_on_machine() { return 0; }
bool built_with_mpi() { return false; }

}  // namespace lk
