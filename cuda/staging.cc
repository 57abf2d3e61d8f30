#include "cuda/staging.h"

#include <algorithm>
#include <cstring>

#include "engine/parallel.h"

namespace lk {
namespace {

// The host's part is the slower one: one thread copies about as much as half a bus.
void copy_on_host(char* to, const char* from, size_t bytes) {
  parallel_for(static_cast<int64_t>(bytes), 1 << 20, [&](int64_t begin, int64_t end) {
    std::memcpy(to + begin, from + begin, static_cast<size_t>(end - begin));
  });
}

}  // namespace

Staging::~Staging() {
  if (!data_) return;
  cudaStreamSynchronize(stream_);
  for (const auto& events : {passed_, arrived_})
    for (const cudaEvent_t event : events) cudaEventDestroy(event);
  cudaFreeHost(data_);
}

bool Staging::ready(cudaStream_t stream) {
  if (refused_) return false;
  if (data_ && stream == stream_) return true;
  if (data_) check_cuda(cudaStreamSynchronize(stream_), "earlier copies");
  stream_ = stream;
  if (data_) return true;
  void* data = nullptr;
  if (cudaMallocHost(&data, 2 * half_) != cudaSuccess) {
    cudaGetLastError();
    refused_ = true;
    return false;
  }
  for (auto* events : {&passed_, &arrived_})
    for (cudaEvent_t& event : *events)
      check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "an event");
  data_ = static_cast<char*>(data);
  return true;
}

// The next bytes of the ring, `most` of them or what is left of the half.
std::span<char> Staging::take(size_t most) {
  if (used_ == half_) {
    check_cuda(cudaEventRecord(passed_[now_], stream_), "an event");
    now_ = 1 - now_;
    check_cuda(cudaEventSynchronize(passed_[now_]), "earlier copies");
    used_ = 0;
  }
  const std::span<char> piece(data_ + now_ * half_ + used_, std::min(most, half_ - used_));
  constexpr size_t kAlign = 64;
  used_ = std::min(half_, (used_ + piece.size() + kAlign - 1) / kAlign * kAlign);
  return piece;
}

bool Staging::upload(Cuda cuda, void* to, const void* from, size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (!ready(cuda.stream)) return false;
  char* target = static_cast<char*>(to);
  const char* source = static_cast<const char*>(from);
  while (bytes > 0) {
    const std::span<char> piece = take(bytes);
    copy_on_host(piece.data(), source, piece.size());
    check_cuda(cudaMemcpyAsync(target, piece.data(), piece.size(), cudaMemcpyDefault, stream_),
               "a copy to the device");
    target += piece.size(), source += piece.size(), bytes -= piece.size();
  }
  return true;
}

// The device fills a piece while the host empties the one before. Pieces that follow each other lie
// in one half or in two, so the ring never gets round to one that is still full.
bool Staging::download(Cuda cuda, void* to, const void* from, size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (!ready(cuda.stream)) return false;
  char* target = static_cast<char*>(to);
  const char* source = static_cast<const char*>(from);
  std::span<char> full;
  for (size_t turn = 0; bytes > 0 || !full.empty(); turn = 1 - turn) {
    std::span<char> piece;
    if (bytes > 0) {
      piece = take(bytes);
      check_cuda(cudaMemcpyAsync(piece.data(), source, piece.size(), cudaMemcpyDefault, stream_),
                 "a copy from the device");
      check_cuda(cudaEventRecord(arrived_[turn], stream_), "an event");
      source += piece.size(), bytes -= piece.size();
    }
    if (!full.empty()) {
      check_cuda(cudaEventSynchronize(arrived_[1 - turn]), "a copy from the device");
      copy_on_host(target, full.data(), full.size());
      target += full.size();
    }
    full = piece;
  }
  return true;
}

}  // namespace lk
