// The functions of NCCL that communicator.cc calls. (The emulator has its own.)
#if __has_include(<nccl.h>)
#include <nccl.h>

#include "cuda/library.h"

namespace {

template <class F>
F* function(const char* name) {
  return lk::library_function<F>(fmt::format("libnccl.so.{}", NCCL_MAJOR), name);
}

}  // namespace

const char* ncclGetErrorString(ncclResult_t result) {
  static auto* const f = function<decltype(ncclGetErrorString)>("ncclGetErrorString");
  return f(result);
}

const char* ncclGetLastError(ncclComm_t comm) {
  static auto* const f = function<decltype(ncclGetLastError)>("ncclGetLastError");
  return f(comm);
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  static auto* const f = function<decltype(ncclGetUniqueId)>("ncclGetUniqueId");
  return f(id);
}

ncclResult_t ncclCommInitRank(ncclComm_t* comm, int size, ncclUniqueId id, int rank) {
  static auto* const f = function<decltype(ncclCommInitRank)>("ncclCommInitRank");
  return f(comm, size, id, rank);
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  static auto* const f = function<decltype(ncclCommDestroy)>("ncclCommDestroy");
  return f(comm);
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  static auto* const f = function<decltype(ncclCommAbort)>("ncclCommAbort");
  return f(comm);
}

ncclResult_t ncclGroupStart() {
  static auto* const f = function<decltype(ncclGroupStart)>("ncclGroupStart");
  return f();
}

ncclResult_t ncclGroupEnd() {
  static auto* const f = function<decltype(ncclGroupEnd)>("ncclGroupEnd");
  return f();
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type,
                           ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  static auto* const f = function<decltype(ncclAllReduce)>("ncclAllReduce");
  return f(from, to, count, type, op, comm, stream);
}

ncclResult_t ncclBroadcast(const void* from, void* to, size_t count, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  static auto* const f = function<decltype(ncclBroadcast)>("ncclBroadcast");
  return f(from, to, count, type, root, comm, stream);
}
#endif
