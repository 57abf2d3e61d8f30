// Managed memory: one address for host and kernels. Pages do not move here, since host and device
// are one; where each was last sent, and where it would rather be, is kept for those who ask.
#include <algorithm>
#include <map>
#include <vector>

#include "cuda/emulator/emulator.h"
#include "cuda/emulator/graphs.h"
#include "cuda/emulator/memory.h"
#include "cuda/emulator/scheduler.h"

namespace emu {
namespace {

constexpr size_t kPage = 4096;

struct Pages {
  std::vector<int> preferred, prefetched;  // locations
};
std::map<uintptr_t, Pages>& all_pages() {
  static auto& pages = *new std::map<uintptr_t, Pages>;
  return pages;
}

struct Range {
  Pages* pages;
  size_t first, last;  // pages, the last one too
};
Range range_of(const void* data, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(data);
  const uintptr_t base = nearest_block(begin).begin;
  return {&all_pages().at(base), (begin - base) / kPage, (begin + bytes - 1 - base) / kPage};
}

// cudaSuccess, or what is wrong with a range or a location.
cudaError_t problem_of(const void* data, size_t bytes, const cudaMemLocation& location) {
  if (bytes == 0 || !is_managed(data, bytes)) return cudaErrorInvalidValue;
  if (location.type == cudaMemLocationTypeHost) return cudaSuccess;
  if (location.type != cudaMemLocationTypeDevice) return cudaErrorInvalidValue;
  return is_device(location.id) && machine().concurrent_managed ? cudaSuccess
                                                                : cudaErrorInvalidDevice;
}

void put(std::vector<int>& values, const Range& r, int value) {
  std::fill(values.begin() + static_cast<std::ptrdiff_t>(r.first),
            values.begin() + static_cast<std::ptrdiff_t>(r.last) + 1, value);
}
int number_of(const cudaMemLocation& location) {
  return location.type == cudaMemLocationTypeHost ? cudaCpuDeviceId : location.id;
}

}  // namespace

bool is_managed(const void* data, size_t bytes) {
  return is_device_memory(data, bytes) &&
         nearest_block(reinterpret_cast<uintptr_t>(data)).kind == Kind::managed;
}

bool is_away(uintptr_t address) {
  if (all_pages().empty()) return false;
  auto found = all_pages().upper_bound(address);
  if (found == all_pages().begin()) return false;
  --found;
  const size_t page = (address - found->first) / kPage;
  return page < found->second.prefetched.size() &&
         found->second.prefetched[page] != current_device();
}

void forget_managed(const void* data) { all_pages().erase(reinterpret_cast<uintptr_t>(data)); }

}  // namespace emu

using namespace emu;

cudaError_t cudaMallocManaged(void** data, size_t bytes, unsigned flags) {
  if (!data || bytes == 0 || (flags != cudaMemAttachGlobal && flags != cudaMemAttachHost))
    return fail(cudaErrorInvalidValue);
  if (const cudaError_t error = forbid_unless_relaxed(); error != cudaSuccess) return error;
  *data = device_allocate(bytes, Kind::managed);
  if (!*data) return fail(cudaErrorMemoryAllocation);
  mark_written(*data, bytes);  // the host may write it with nobody watching
  const std::vector<int> nowhere((bytes + kPage - 1) / kPage, cudaInvalidDeviceId);
  all_pages()[reinterpret_cast<uintptr_t>(*data)] = {nowhere, nowhere};
  return cudaSuccess;
}

cudaError_t cudaMemPrefetchAsync(const void* data, size_t bytes, cudaMemLocation location,
                                 unsigned flags, cudaStream_t stream) {
  if (flags != 0) return fail(cudaErrorInvalidValue);
  if (const cudaError_t error = forbid_in_capture(stream, cudaErrorStreamCaptureUnsupported);
      error != cudaSuccess)
    return error;
  if (const cudaError_t problem = problem_of(data, bytes, location); problem != cudaSuccess)
    return fail(problem);
  if (!machine().concurrent_managed) return fail(cudaErrorInvalidDevice);  // the stream's
  const Range r = range_of(data, bytes);
  put(r.pages->prefetched, r, number_of(location));
  return cudaSuccess;
}

cudaError_t cudaMemAdvise(const void* data, size_t bytes, cudaMemoryAdvise advice,
                          cudaMemLocation location) {
  const bool set = advice == cudaMemAdviseSetPreferredLocation;
  if (!set) location = {cudaMemLocationTypeHost, 0};  // is ignored
  if (const cudaError_t problem = problem_of(data, bytes, location); problem != cudaSuccess)
    return fail(problem);
  if (!set && advice != cudaMemAdviseUnsetPreferredLocation) return fail(cudaErrorNotSupported);
  const Range r = range_of(data, bytes);
  put(r.pages->preferred, r, set ? number_of(location) : cudaInvalidDeviceId);
  return cudaSuccess;
}

cudaError_t cudaMemRangeGetAttribute(void* value, size_t value_bytes,
                                     cudaMemRangeAttribute attribute, const void* data,
                                     size_t bytes) {
  if (!value || value_bytes != sizeof(int) || bytes == 0 || !is_managed(data, bytes))
    return fail(cudaErrorInvalidValue);
  if (attribute != cudaMemRangeAttributePreferredLocation &&
      attribute != cudaMemRangeAttributeLastPrefetchLocation)
    return fail(cudaErrorInvalidValue);
  const Range r = range_of(data, bytes);
  const std::vector<int>& of = attribute == cudaMemRangeAttributePreferredLocation
                                   ? r.pages->preferred
                                   : r.pages->prefetched;
  const bool same = std::all_of(of.begin() + static_cast<std::ptrdiff_t>(r.first),
                                of.begin() + static_cast<std::ptrdiff_t>(r.last) + 1,
                                [&](int where) { return where == of[r.first]; });
  *static_cast<int*>(value) = same ? of[r.first] : cudaInvalidDeviceId;
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* data) {
  if (!attributes) return fail(cudaErrorInvalidValue);
  void* const p = const_cast<void*>(data);
  if (is_managed(data, 1))
    *attributes = {cudaMemoryTypeManaged, 0, p, p};
  else if (is_device_memory(data, 1))
    *attributes = {cudaMemoryTypeDevice, 0, p, nullptr};
  else if (is_pinned(data))
    *attributes = {cudaMemoryTypeHost, 0, p, p};
  else
    *attributes = {cudaMemoryTypeUnregistered, cudaInvalidDeviceId, nullptr, p};
  return cudaSuccess;
}
