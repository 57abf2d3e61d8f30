#include "cuda/emulator/meeting.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

namespace emu {
namespace {

constexpr size_t kSlot = 1 << 16;  // bytes that a process shows the others at a time
constexpr auto kPatience = std::chrono::seconds(60);

}  // namespace

// All zeros is where it begins.
struct Meeting::Shared {
  std::atomic<int> arrived, round;
  std::atomic<int> devices[kMost];  // and 1
  char slots[kMost][kSlot];
};

std::string new_meeting() {
  static std::atomic<int> count{0};
  return "/lorikeet-" + std::to_string(getpid()) + "-" + std::to_string(count++);
}

Meeting::Meeting(const std::string& name, int rank, int size, int device)
    : rank_(rank), size_(size) {
  problem_ = Problem::system;
  if (size < 1 || size > kMost || rank < 0 || rank >= size) return;
  const int file = shm_open(name.c_str(), O_RDWR | O_CREAT, 0600);
  if (file < 0) return;
  void* memory = MAP_FAILED;
  if (ftruncate(file, sizeof(Shared)) == 0)
    memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) return;
  shared_ = static_cast<Shared*>(memory);
  shared_->devices[rank] = device + 1;
  problem_ = meet() ? Problem::none : Problem::others_missing;
  if (rank == 0) shm_unlink(name.c_str());
  for (int other = 0; other < size; ++other)
    if (device >= 0 && other != rank && shared_->devices[other] == device + 1)
      problem_ = Problem::same_device;
}

Meeting::~Meeting() {
  if (shared_) munmap(shared_, sizeof(Shared));
}

bool Meeting::meet() {
  const int round = shared_->round;
  if (++shared_->arrived == size_) {
    shared_->arrived = 0;
    ++shared_->round;
    return true;
  }
  const auto start = std::chrono::steady_clock::now();
  while (shared_->round == round) {
    if (std::chrono::steady_clock::now() - start > kPatience) return false;
    sched_yield();
  }
  return true;
}

char* Meeting::slot(int rank) const { return shared_->slots[rank]; }

template <class T>
bool Meeting::all_reduce(T* data, size_t count) {
  constexpr size_t kPart = kSlot / sizeof(T);
  for (size_t begin = 0; begin < count; begin += kPart) {
    const size_t part = std::min(kPart, count - begin);
    std::memcpy(slot(rank_), data + begin, part * sizeof(T));
    if (!meet()) return false;
    for (size_t i = 0; i < part; ++i) {
      T sum = 0;
      for (int rank = 0; rank < size_; ++rank) sum += reinterpret_cast<const T*>(slot(rank))[i];
      data[begin + i] = sum;
    }
    if (!meet()) return false;  // all have read
  }
  return true;
}
template bool Meeting::all_reduce(float*, size_t);
template bool Meeting::all_reduce(double*, size_t);

bool Meeting::broadcast(void* data, size_t bytes, int root) {
  char* const at = static_cast<char*>(data);
  for (size_t begin = 0; begin < bytes; begin += kSlot) {
    const size_t part = std::min(kSlot, bytes - begin);
    if (rank_ == root) std::memcpy(slot(root), at + begin, part);
    if (!meet()) return false;
    if (rank_ != root) std::memcpy(at + begin, slot(root), part);
    if (!meet()) return false;
  }
  return true;
}

}  // namespace emu
