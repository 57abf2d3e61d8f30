// Streams, events, pinned memory and copies. Kernels and copies run at once, in the order they are
// asked for, so the device's side of a stream is always right. The host's side of an asynchronous
// copy of pinned memory is as late as a device may be: what comes from the device shows when the
// copy is waited for, and what goes there must be unchanged until then.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <vector>

#include "cuda/emulator/emulator.h"
#include "cuda/emulator/graphs.h"
#include "cuda/emulator/memory.h"
#include "cuda/emulator/reports.h"
#include "cuda/emulator/scheduler.h"

struct CUevent_st {
  bool timed = true, recorded = false;
  bool captured = false;  // recorded while its stream was captured
  cudaStream_t stream = nullptr;
  uint64_t number = 0;  // of the last copy before it
  std::chrono::steady_clock::time_point time;
};

namespace emu {
namespace {

constexpr int kUnknown = 0xff;  // bytes of host memory that a copy has yet to fill

struct Flying {
  cudaStream_t stream;
  uint64_t number;
  bool to_host;
  char* host;
  std::vector<char> bytes;  // of the device when the copy was asked for
};
struct State {
  std::list<Flying> flying;
  uint64_t number = 0;
  std::map<uintptr_t, size_t> pinned;
  Copies copies;
};
State& state() {
  static State& s = *new State;
  return s;
}

// Whether who waits for `stream` waits for what was asked of `other`: the default stream waits for
// all, but for those that were made non-blocking.
bool covers(cudaStream_t stream, cudaStream_t other) {
  return stream == other || (!stream && !(other->flags & cudaStreamNonBlocking));
}

void land(const Flying& f) {
  const bool changed = f.to_host
                           ? std::any_of(f.host, f.host + f.bytes.size(),
                                         [](char c) { return c != static_cast<char>(kUnknown); })
                           : std::memcmp(f.host, f.bytes.data(), f.bytes.size()) != 0;
  if (changed)
    report_host(Fault::in_flight, "the host wrote pinned memory of " +
                                      std::to_string(f.bytes.size()) +
                                      " bytes before a copy that " +
                                      (f.to_host ? "fills" : "reads") + " it was waited for");
  if (f.to_host) std::memcpy(f.host, f.bytes.data(), f.bytes.size());
}

template <class Which>
void land_all(Which which) {
  std::list<Flying>& flying = state().flying;
  for (auto f = flying.begin(); f != flying.end();) {
    if (!which(*f)) {
      ++f;
      continue;
    }
    land(*f);
    f = flying.erase(f);
  }
}
void wait_for(cudaStream_t stream, uint64_t number = UINT64_MAX) {
  land_all([&](const Flying& f) { return f.number <= number && covers(stream, f.stream); });
}

bool overlap(const Flying& f, const void* data, size_t bytes) {
  const char* begin = static_cast<const char*>(data);
  return begin < f.host + f.bytes.size() && f.host < begin + bytes;
}

// A copy on `stream` is about to use this: earlier ones on it have been done, others may not.
void settle(cudaStream_t stream, const void* data, size_t bytes) {
  for (const Flying& f : state().flying)
    if (overlap(f, data, bytes) && !covers(stream, f.stream))
      report_host(Fault::in_flight,
                  "two streams copy the same pinned memory, and neither waits for the other");
  land_all([&](const Flying& f) { return overlap(f, data, bytes); });
}

// A range that touches device or pinned memory must lie in one live block.
bool valid(const void* data, size_t bytes) {
  if (on_device(data)) return is_device_memory(data, bytes);
  const auto begin = reinterpret_cast<uintptr_t>(data);
  const auto after = state().pinned.upper_bound(begin);
  if (after != state().pinned.end() && after->first < begin + bytes) return false;
  if (!is_pinned(data)) return true;
  const auto block = std::prev(after);
  return begin + bytes <= block->first + block->second;
}

// cudaSuccess where the copy may be made.
cudaError_t problem_of(const void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (!valid(to, bytes) || !valid(from, bytes)) return cudaErrorInvalidValue;
  if (kind == cudaMemcpyDefault) return cudaSuccess;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice,
             from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  const auto fits = [&](const void* data, bool device) {
    return on_device(data) == device || is_managed(data, bytes);  // which is both
  };
  return fits(to, to_device) && fits(from, from_device) ? cudaSuccess : cudaErrorInvalidValue;
}

void copy_now(void* to, const void* from, size_t bytes) {
  std::memcpy(to, from, bytes);
  if (on_device(to) && on_device(from))
    copy_marks(to, from, bytes);
  else if (on_device(to))
    mark_written(to, bytes);
}

}  // namespace

bool is_pinned(const void* data) {
  const auto begin = reinterpret_cast<uintptr_t>(data);
  const auto after = state().pinned.upper_bound(begin);
  return after != state().pinned.begin() &&
         begin - std::prev(after)->first < std::prev(after)->second;
}

Copies copies() {
  Copies c = state().copies;
  c.in_flight = static_cast<int64_t>(state().flying.size());
  return c;
}

}  // namespace emu

using namespace emu;

cudaError_t cudaDeviceSynchronize() {
  if (const cudaError_t error = forbid_in_any_capture(); error != cudaSuccess) return error;
  land_all([](const Flying&) { return true; });
  return ok_unless_failed();
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, 0); }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  if (flags & ~cudaStreamNonBlocking) return fail(cudaErrorInvalidValue);
  *stream = new CUstream_st;
  (*stream)->flags = flags;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (!stream) return fail(cudaErrorInvalidResourceHandle);
  for (Flying& f : state().flying)
    if (f.stream == stream) f.stream = nullptr;
  forget_capture(stream);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (const cudaError_t error = forbid_in_capture(stream, cudaErrorStreamCaptureUnsupported);
      error != cudaSuccess)
    return error;
  wait_for(stream);
  return ok_unless_failed();
}
// A device would wait; here what comes before the event is done, which hides a host that does not.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  if (!event || flags != 0) return fail(cudaErrorInvalidValue);
  if (event->captured) return event->stream == stream ? cudaSuccess : fail(cudaErrorNotSupported);
  if (const cudaError_t error = forbid_in_capture(stream, cudaErrorStreamCaptureIsolation);
      error != cudaSuccess)
    return error;
  if (event->recorded) wait_for(event->stream, event->number);
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  if (flags & ~(cudaEventBlockingSync | cudaEventDisableTiming)) return fail(cudaErrorInvalidValue);
  *event = new CUevent_st{};
  (*event)->timed = !(flags & cudaEventDisableTiming);
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  if (!event) return fail(cudaErrorInvalidResourceHandle);
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (!event) return fail(cudaErrorInvalidResourceHandle);
  event->captured = capturing(stream);
  event->recorded = true;
  event->stream = stream;
  event->number = state().number;
  event->time = std::chrono::steady_clock::now();
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (!event) return fail(cudaErrorInvalidResourceHandle);
  if (event->captured) return fail(cudaErrorCapturedEvent);
  if (event->recorded) wait_for(event->stream, event->number);
  return ok_unless_failed();
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  for (const cudaEvent_t event : {start, end})
    if (!event || !event->timed || !event->recorded) return fail(cudaErrorInvalidResourceHandle);
  if (start->captured || end->captured) return fail(cudaErrorCapturedEvent);
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** data, size_t bytes) {
  if (!data) return fail(cudaErrorInvalidValue);
  if (const cudaError_t error = forbid_unless_relaxed(); error != cudaSuccess) return error;
  *data = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (!take_host_bytes(bytes)) return fail(cudaErrorMemoryAllocation);
  *data = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (!*data) {
    give_host_bytes(bytes);
    return fail(cudaErrorMemoryAllocation);
  }
  std::memset(*data, kUnknown, bytes);
  state().pinned[reinterpret_cast<uintptr_t>(*data)] = bytes;
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* data) {
  if (!data) return cudaSuccess;
  if (const cudaError_t error = forbid_unless_relaxed(); error != cudaSuccess) return error;
  const auto found = state().pinned.find(reinterpret_cast<uintptr_t>(data));
  if (found == state().pinned.end()) return fail(cudaErrorInvalidValue);
  for (const Flying& f : state().flying)
    if (overlap(f, data, found->second))
      report_host(Fault::in_flight, "pinned memory was freed before a copy of it was waited for");
  state().flying.remove_if([&](const Flying& f) { return overlap(f, data, found->second); });
  give_host_bytes(found->second);
  state().pinned.erase(found);
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (const cudaError_t error = ok_unless_failed(); error != cudaSuccess) return error;
  if (bytes == 0) return cudaSuccess;
  if (const cudaError_t error = problem_of(to, from, bytes, kind); error != cudaSuccess)
    return fail(error);
  if (const cudaError_t error = forbid_in_capture(nullptr, cudaErrorStreamCaptureUnsupported);
      error != cudaSuccess)
    return error;
  wait_for(nullptr);
  settle(nullptr, to, bytes);
  settle(nullptr, from, bytes);
  copy_now(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (const cudaError_t error = ok_unless_failed(); error != cudaSuccess) return error;
  if (bytes == 0) return cudaSuccess;
  if (const cudaError_t error = problem_of(to, from, bytes, kind); error != cudaSuccess)
    return fail(error);
  if (const auto kept = captured(stream, NodeType::copy, [=](cudaStream_t s) {
        return cudaMemcpyAsync(to, from, bytes, kind, s);
      }))
    return *kept;
  settle(stream, to, bytes);
  settle(stream, from, bytes);
  State& s = state();
  const bool to_host = !on_device(to), across = to_host == on_device(from);
  void* const host = to_host ? to : const_cast<void*>(from);
  if (!across || !is_pinned(host)) {
    s.copies.pageable += across;
    copy_now(to, from, bytes);
    if (to_host) wait_for(stream);  // such a copy returns when it is done
    return cudaSuccess;
  }
  ++s.copies.pinned;
  const char* source = static_cast<const char*>(from);
  s.flying.push_back(
      {stream, ++s.number, to_host, static_cast<char*>(host), {source, source + bytes}});
  if (to_host)
    std::memset(to, kUnknown, bytes);
  else
    copy_now(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_step, const void* from, size_t from_step,
                              size_t width, size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream) {
  if (to_step < width || from_step < width) return fail(cudaErrorInvalidValue);
  if (const auto kept = captured(stream, NodeType::copy, [=](cudaStream_t s) {
        return cudaMemcpy2DAsync(to, to_step, from, from_step, width, height, kind, s);
      }))
    return *kept;
  for (size_t i = 0; i < height; ++i)
    if (const cudaError_t error =
            cudaMemcpyAsync(static_cast<char*>(to) + i * to_step,
                            static_cast<const char*>(from) + i * from_step, width, kind, stream);
        error != cudaSuccess)
      return error;
  return cudaSuccess;
}
