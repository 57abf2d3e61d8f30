// A fiber runs one thread after another as long as none of them waits; only a thread that waits
// keeps its fiber, and the scheduler goes on with another. A warp runs until all its lanes wait for
// the block or are done, then the next warp.
#include "cuda/emulator/scheduler.h"

#include <sys/mman.h>

#include <algorithm>
#include <boost/context/fiber.hpp>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>

#include "cuda/emulator/checker.h"
#include "cuda/emulator/emulator.h"
#include "cuda/emulator/graphs.h"
#include "cuda/emulator/memory.h"
#include "cuda/emulator/profiler.h"

namespace emu {

Coordinates here{};

namespace {

namespace context = boost::context;
constexpr size_t kStack = 128 << 10;
constexpr int kMostThreads = 1024;
constexpr uint64_t kMostBlocks = uint64_t{1} << 32, kMostStamps = (uint64_t{1} << 28) - 1;

// All stacks side by side, so that one comparison tells whether an address lies in them.
struct Stacks {
  char* base;
  Stacks() {
    void* memory = mmap(nullptr, kStack * kMostThreads, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    base = static_cast<char*>(memory);
  }
};
Stacks& stacks() {
  static Stacks all;
  return all;
}

// Gives fiber number `index` its place; nothing to free.
struct StackOf {
  int index;
  context::stack_context allocate() const {
    context::stack_context stack;
    stack.size = kStack;
    stack.sp = stacks().base + kStack * static_cast<size_t>(index + 1);
    return stack;
  }
  void deallocate(context::stack_context&) const {}
};

struct Worker {
  context::fiber fiber, scheduler;
};

struct Warp {
  std::vector<int> order;  // of its threads
  size_t next_fresh = 0;
  uint32_t meetings = 0, last_full_meeting = 0;
  std::vector<uint32_t> partial;  // [32, 32], filled once a mask named fewer than all lanes
};

struct Scheduler {
  Grid grid;
  void (*body)(void*) = nullptr;
  char* arguments = nullptr;
  size_t arguments_bytes = 0;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<int> idle;
  Thread* current = nullptr;
  int done = 0;
  uint32_t block = 0, time = 0, last_barrier = 0, stamp = 0;
  uint64_t blocks_run = 0;  // since accesses were forgotten
  uint64_t seed = 0;
  std::mt19937_64 random;
  cudaError_t failure = cudaSuccess, last_error = cudaSuccess;
  const std::function<void()>* service = nullptr;
};
Scheduler& s() {
  static Scheduler& scheduler = *new Scheduler;  // its fibers are never unwound
  return scheduler;
}

void make_current(Thread& t) {
  s().current = &t;
  here.thread = thread_index(t.linear);
}

// The next thread of the warp that has not begun.
Thread* next_fresh(int warp) {
  Warp& w = s().warps[static_cast<size_t>(warp)];
  return w.next_fresh < w.order.size() ? &s().threads[static_cast<size_t>(w.order[w.next_fresh++])]
                                       : nullptr;
}

void finish_pending_meeting(int warp);

[[gnu::noinline]] context::fiber run_worker(context::fiber&& scheduler, int index) {
  Worker& self = *s().workers[static_cast<size_t>(index)];
  self.scheduler = std::move(scheduler);
  for (;;) {
    const int warp = s().current->warp();
    for (Thread* t = s().current; t; t = next_fresh(warp)) {
      t->worker = index;
      t->state = Thread::State::ready;
      make_current(*t);
      s().body(s().arguments);
      forget_copies(*t);
      t->state = Thread::State::done;
      ++s().done;
      finish_pending_meeting(warp);
    }
    s().idle.push_back(index);
    s().current = nullptr;
    self.scheduler = std::move(self.scheduler).resume();
  }
}

void yield() {
  Worker& w = *s().workers[static_cast<size_t>(s().current->worker)];
  w.scheduler = std::move(w.scheduler).resume();
}

void resume(int worker) {
  Worker& w = *s().workers[static_cast<size_t>(worker)];
  for (;;) {
    w.fiber = std::move(w.fiber).resume();
    if (!s().service) break;
    (*s().service)();
    s().service = nullptr;
  }
  s().current = nullptr;
}

void start_thread(Thread& t) {
  if (s().idle.empty()) {
    const int index = static_cast<int>(s().workers.size());
    s().workers.push_back(std::make_unique<Worker>());
    s().workers.back()->fiber = context::fiber(
        std::allocator_arg, StackOf{index},
        [index](context::fiber&& scheduler) { return run_worker(std::move(scheduler), index); });
    s().idle.push_back(index);
  }
  const int worker = s().idle.back();
  s().idle.pop_back();
  s().current = &t;
  resume(worker);
}

// A launch that failed leaves fibers in the middle of a kernel. They are never resumed: their
// stacks are written over, their handles dropped without unwinding.
void drop_fibers() {
  for (std::unique_ptr<Worker>& w : s().workers) static_cast<void>(w.release());
  s().workers.clear();
  s().idle.clear();
}

void run_warp(int warp) {
  Warp& w = s().warps[static_cast<size_t>(warp)];
  for (bool progress = true; progress && s().failure == cudaSuccess;) {
    progress = false;
    if (Thread* t = next_fresh(warp)) {
      start_thread(*t);
      progress = true;
      continue;
    }
    for (const int linear : w.order) {
      Thread& t = s().threads[static_cast<size_t>(linear)];
      if (t.state != Thread::State::ready) continue;
      make_current(t);
      resume(t.worker);
      progress = true;
      if (s().failure != cudaSuccess) return;
    }
  }
}

template <class V>
void shuffle_by_seed(V& order) {
  if (s().seed != 0) std::shuffle(order.begin(), order.end(), s().random);
}

// Numbers are 32 bits in an Access, stamps 28 in a word of shared memory: when they have all been
// used, what has them is forgotten, and they begin again.
void take_block_numbers(uint64_t count) {
  if (s().blocks_run + count > kMostBlocks) {
    forget_accesses();
    s().blocks_run = 0;
  }
  s().blocks_run += count;
}
void take_stamps(uint64_t count) {
  const uint64_t next = s().stamp + count;
  if (next > kMostStamps) forget_shared_marks();
  s().stamp = static_cast<uint32_t>((next - 1) % kMostStamps + 1);
}

void run_block(uint32_t index) {
  Scheduler& a = s();
  take_stamps(1);
  a.block = a.grid.first_block + index;
  here.block = block_index(a.block);
  const int count = static_cast<int>(a.threads.size());
  a.done = 0;
  a.time = 1;
  a.last_barrier = 0;
  for (int i = 0; i < count; ++i) {
    a.threads[static_cast<size_t>(i)] = Thread{};
    a.threads[static_cast<size_t>(i)].linear = i;
  }
  for (size_t i = 0; i < a.warps.size(); ++i) {
    Warp& w = a.warps[i];
    w = Warp{};
    const int first = static_cast<int>(i) * 32;
    w.order.resize(static_cast<size_t>(std::min(32, count - first)));
    std::iota(w.order.begin(), w.order.end(), first);
    shuffle_by_seed(w.order);
  }
  begin_block_shared();
  while (a.done < count) {
    std::vector<int> order(a.warps.size());
    std::iota(order.begin(), order.end(), 0);
    shuffle_by_seed(order);
    for (const int warp : order) {
      run_warp(warp);
      if (a.failure != cudaSuccess) return;
    }
    if (a.done == count) break;
    if (!check_barrier(a.threads)) {
      a.failure = cudaErrorLaunchFailure;
      return;
    }
    a.last_barrier = ++a.time;
    if (profiling()) profile_barrier();
    for (Thread& t : a.threads)
      if (t.state == Thread::State::at_barrier) t.state = Thread::State::ready;
  }
  if (profiling()) profile_block_end();
}

// Completes a meeting when all live lanes that it names have come.
bool try_meeting(Thread& arrived, bool orders_memory) {
  const int warp = arrived.warp();
  void* arguments[32] = {};
  unsigned there = 0;
  for (const int linear : s().warps[static_cast<size_t>(warp)].order) {
    Thread& t = s().threads[static_cast<size_t>(linear)];
    if ((arrived.mask >> t.lane() & 1) == 0 || t.state == Thread::State::done) continue;
    if (t.state != Thread::State::in_collective || t.mask != arrived.mask ||
        t.operation != arrived.operation)
      return false;
    arguments[t.lane()] = t.argument;
    there |= 1u << t.lane();
  }
  if (arrived.operation) arrived.operation(arguments);
  if (profiling()) profile_warp_operation();
  Warp& w = s().warps[static_cast<size_t>(warp)];
  if (orders_memory) {
    ++s().time;
    if (arrived.mask == kFullWarp) {
      w.last_full_meeting = s().time;
    } else {
      w.partial.resize(32 * 32);
      for (size_t i = 0; i < 32; ++i)
        for (size_t j = 0; j < 32; ++j)
          if (there >> i & there >> j & 1) w.partial[i * 32 + j] = s().time;
    }
  }
  for (const int linear : w.order) {
    Thread& t = s().threads[static_cast<size_t>(linear)];
    if (there >> t.lane() & 1) t.state = Thread::State::ready;
  }
  return true;
}

// A lane that ends may be the one that others wait for.
void finish_pending_meeting(int warp) {
  for (const int linear : s().warps[static_cast<size_t>(warp)].order) {
    Thread& t = s().threads[static_cast<size_t>(linear)];
    if (t.state == Thread::State::in_collective && try_meeting(t, t.operation == nullptr)) return;
  }
}

}  // namespace

void set_order(uint64_t seed) {
  s().seed = seed;
  s().random.seed(seed);
}

Thread* current_thread() { return s().current; }
const Grid& current_grid() { return s().grid; }
Thread& thread_of_block(int linear) { return s().threads[static_cast<size_t>(linear)]; }
uint32_t current_block() { return s().block; }
uint32_t shared_stamp() { return s().stamp; }
void skip_blocks(uint64_t count) {
  take_block_numbers(count);
  take_stamps(count);
}
uint32_t block_time() { return s().time; }
uint32_t last_barrier() { return s().last_barrier; }
uint32_t last_meeting(int lane_a, int lane_b, int warp) {
  const Warp& w = s().warps[static_cast<size_t>(warp)];
  const uint32_t partial =
      w.partial.empty() ? 0
                        : w.partial[static_cast<size_t>(lane_a) * 32 + static_cast<size_t>(lane_b)];
  return std::max(w.last_full_meeting, partial);
}

void meet(unsigned mask, void (*operation)(void**), void* argument, const void* site,
          bool orders_memory) {
  Thread& t = *s().current;
  t.site = site;
  t.mask = mask;
  t.operation = operation;
  t.argument = argument;
  if ((mask >> t.lane() & 1) == 0) report_outside_mask(t);
  t.state = Thread::State::in_collective;
  if (!try_meeting(t, orders_memory)) yield();
}

void on_main_stack(const std::function<void()>& f) {
  if (!s().current) return f();
  s().service = &f;
  yield();
}

void abandon_launch(cudaError_t error) {
  s().failure = error;
  yield();
  std::abort();  // never resumed
}

bool on_fiber_stack(uintptr_t address) {
  return address - reinterpret_cast<uintptr_t>(stacks().base) < kStack * kMostThreads;
}

bool in_arguments(uintptr_t address) {
  return address - reinterpret_cast<uintptr_t>(s().arguments) < s().arguments_bytes;
}

uint3 thread_index(int linear) {
  const auto i = static_cast<unsigned>(linear);
  const dim3& b = s().grid.block;
  return {i % b.x, i / b.x % b.y, i / b.x / b.y};
}
uint3 block_index() { return here.block; }
uint3 block_index(uint32_t block) {
  const uint32_t i = block - s().grid.first_block;
  const dim3& g = s().grid.grid;
  return {i % g.x, i / g.x % g.y, i / g.x / g.y};
}

void set_error(cudaError_t error) {
  if (error != cudaSuccess) s().last_error = error;
}

cudaError_t run_grid(const cudaLaunchConfig_t& config, const void* kernel, void (*body)(void*),
                     void* arguments, size_t arguments_bytes) {
  Scheduler& a = s();
  const dim3 g = config.gridDim, b = config.blockDim;
  const uint64_t threads = uint64_t{b.x} * b.y * b.z, blocks = uint64_t{g.x} * g.y * g.z;
  cudaError_t error = cudaSuccess;
  if (threads == 0 || threads > kMostThreads || blocks == 0 || g.x > 0x7fffffffu || g.y > 65535 ||
      g.z > 65535 || b.z > 64 || blocks > kMostBlocks)
    error = cudaErrorInvalidConfiguration;
  else if (config.dynamicSmemBytes > shared_limit(kernel))
    error = cudaErrorInvalidValue;
  if (error != cudaSuccess) {
    set_error(error);
    return error;
  }
  // Kept by value, where any argument's alignment will do.
  const auto* bytes = static_cast<const char*>(arguments);
  using Line = std::aligned_storage_t<64, 64>;
  std::vector<Line> kept;
  if (capturing(config.stream)) {
    kept.resize((arguments_bytes + sizeof(Line) - 1) / sizeof(Line));
    std::copy(bytes, bytes + arguments_bytes, reinterpret_cast<char*>(kept.data()));
  }
  if (const auto done = captured(config.stream, NodeType::kernel, [=](cudaStream_t stream) mutable {
        cudaLaunchConfig_t again = config;
        again.stream = stream;
        return run_grid(again, kernel, body, kept.data(), arguments_bytes);
      }))
    return *done;
  take_block_numbers(blocks);
  a.grid = {kernel, g, b, config.dynamicSmemBytes, static_cast<uint32_t>(a.blocks_run - blocks)};
  a.body = body;
  a.arguments = static_cast<char*>(arguments);
  a.arguments_bytes = arguments_bytes;
  a.failure = cudaSuccess;
  a.threads.resize(threads);
  a.warps.resize((threads + 31) / 32);
  here.block_dim = b;
  here.grid_dim = g;
  if (profiling()) profile_launch(a.grid);
  std::vector<uint32_t> order(a.seed == 0 ? 0 : blocks);
  std::iota(order.begin(), order.end(), 0u);
  shuffle_by_seed(order);
  for (uint64_t i = 0; i < blocks && a.failure == cudaSuccess; ++i)
    run_block(order.empty() ? static_cast<uint32_t>(i) : order[i]);
  a.current = nullptr;
  a.arguments_bytes = 0;
  if (a.failure != cudaSuccess) {
    drop_fibers();
    set_error(a.failure);
  }
  return cudaSuccess;  // what goes wrong in a kernel shows at the next synchronising call
}

cudaError_t cuda_last_error(bool clear) {
  const cudaError_t error = s().last_error;
  if (clear) s().last_error = cudaSuccess;
  return error;
}

}  // namespace emu

void __syncthreads() {
  using namespace emu;
  Thread& t = *current_thread();
  t.site = __builtin_return_address(0);
  t.state = Thread::State::at_barrier;
  yield();
}

void __syncwarp(unsigned mask) {
  emu::meet(mask, nullptr, nullptr, __builtin_return_address(0), true);
}
