// NCCL between processes of one machine, by shared memory. What a communicator would refuse is
// refused: two processes on one device, memory that is not on the device, other types and
// operations than those of the header. Within a group nothing is done before its end.
#include "cuda/emulator/include/nccl.h"

#include <cstring>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "cuda/emulator/graphs.h"
#include "cuda/emulator/meeting.h"
#include "cuda/emulator/memory.h"

struct ncclComm {
  ncclComm(const char* name, int rank, int of)
      : meeting(name, rank, of, emu::current_device()), size(of) {}
  emu::Meeting meeting;
  int size;
};

namespace {

const char* last_error = "";
int groups = 0;  // that are open
std::vector<std::function<ncclResult_t()>> waiting;

ncclResult_t fail(ncclResult_t result, const char* text) {
  last_error = text;
  return result;
}

// Now, or at the end of the group.
ncclResult_t enqueue(std::function<ncclResult_t()> work) {
  if (groups == 0) return work();
  waiting.push_back(std::move(work));
  return ncclSuccess;
}

ncclResult_t check(const void* from, const void* to, size_t bytes, ncclComm_t comm,
                   cudaStream_t stream) {
  if (!comm) return fail(ncclInvalidArgument, "no communicator");
  if (bytes == 0) return ncclSuccess;
  if (!emu::is_device_memory(from, bytes) || !emu::is_device_memory(to, bytes))
    return fail(ncclInvalidArgument, "a buffer that does not lie within a block of the device");
  if (emu::capturing(stream))
    return fail(ncclInvalidUsage, "a stream that is captured, which the emulator does not have");
  return ncclSuccess;
}

size_t size_of(ncclDataType_t type) {
  return type == ncclFloat64 ? 8 : type == ncclFloat32 ? 4 : 1;
}

ncclResult_t result_of(bool met) {
  return met ? ncclSuccess : fail(ncclRemoteError, "another process did not come");
}

}  // namespace

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclUnhandledCudaError:
      return "unhandled cuda error";
    case ncclSystemError:
      return "unhandled system error";
    case ncclInternalError:
      return "internal error";
    case ncclInvalidArgument:
      return "invalid argument";
    case ncclInvalidUsage:
      return "invalid usage";
    case ncclRemoteError:
      return "remote process exited or there was a network error";
  }
  return "unknown result code";
}
const char* ncclGetLastError(ncclComm_t) { return last_error; }

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  *id = {};
  std::strncpy(id->internal, emu::new_meeting().c_str(), sizeof(id->internal) - 1);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t* comm, int size, ncclUniqueId id, int rank) {
  if (size < 1 || size > emu::Meeting::kMost || rank < 0 || rank >= size)
    return fail(ncclInvalidArgument, "a rank that is not below the number of processes");
  auto made = std::make_unique<ncclComm>(id.internal, rank, size);
  switch (made->meeting.problem()) {
    case emu::Meeting::Problem::none:
      *comm = made.release();
      return ncclSuccess;
    case emu::Meeting::Problem::same_device:
      return fail(ncclInvalidUsage, "Duplicate GPU detected: two processes have the same device");
    case emu::Meeting::Problem::others_missing:
      return result_of(false);
    case emu::Meeting::Problem::system:
      break;
  }
  return fail(ncclSystemError, "shared memory cannot be had");
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  delete comm;
  return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t comm) { return ncclCommDestroy(comm); }

ncclResult_t ncclGroupStart() {
  ++groups;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
  if (groups == 0) return fail(ncclInvalidUsage, "the end of a group that was not begun");
  if (--groups > 0) return ncclSuccess;
  ncclResult_t result = ncclSuccess;
  for (const auto& work : std::exchange(waiting, {}))
    if (result == ncclSuccess) result = work();
  return result;
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type,
                           ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  const size_t bytes = count * size_of(type);
  if (op != ncclSum || (type != ncclFloat32 && type != ncclFloat64))
    return fail(ncclInvalidArgument, "the emulator has sums of floats and doubles");
  if (const ncclResult_t r = check(from, to, bytes, comm, stream); r != ncclSuccess) return r;
  return enqueue([=] {
    std::memmove(to, from, bytes);
    const bool met = type == ncclFloat32
                         ? comm->meeting.all_reduce(static_cast<float*>(to), count)
                         : comm->meeting.all_reduce(static_cast<double*>(to), count);
    emu::mark_written(to, bytes);
    return result_of(met);
  });
}

ncclResult_t ncclBroadcast(const void* from, void* to, size_t count, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  const size_t bytes = count * size_of(type);
  if (const ncclResult_t r = check(from, to, bytes, comm, stream); r != ncclSuccess) return r;
  if (root < 0 || root >= comm->size) return fail(ncclInvalidArgument, "a root that is no rank");
  return enqueue([=] {
    std::memmove(to, from, bytes);
    const bool met = comm->meeting.broadcast(to, bytes, root);
    emu::mark_written(to, bytes);
    return result_of(met);
  });
}
