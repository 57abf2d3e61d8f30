// Operations of a whole warp, each run once on all lanes' arguments when the last lane has come.
#include <bit>
#include <cstring>
#include <deque>
#include <map>

#include "cuda/emulator/checker.h"
#include "cuda/emulator/memory.h"
#include "cuda/emulator/profiler.h"
#include "cuda/emulator/scheduler.h"

namespace emu {
namespace {

// What the observer would see, had the compiler made the access.
void observe(const void* address, int bytes, bool write, bool atomic, const void* site) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  if (checking()) check_access(at, bytes, write, atomic, true, site);
  if (profiling()) profile_access(at, bytes, write, site);
}

struct ExchangeCall {
  Exchange kind;
  uint64_t value, result;
  int operand, width;
};

Thread& lane_of_warp(int lane) { return thread_of_block(current_thread()->warp() * 32 + lane); }

void run_exchange(void** lanes) {
  for (int lane = 0; lane < 32; ++lane) {
    auto* call = static_cast<ExchangeCall*>(lanes[lane]);
    if (!call) continue;
    const int width = call->width, begin = lane / width * width;
    int from = lane;
    switch (call->kind) {
      case Exchange::index:
        from = begin + (call->operand & (width - 1));
        break;
      case Exchange::up:
        from = lane - call->operand < begin ? lane : lane - call->operand;
        break;
      case Exchange::down:
        from = lane + call->operand >= begin + width ? lane : lane + call->operand;
        break;
      case Exchange::exclusive_or:
        from = (lane ^ call->operand) >= begin + width ? lane : lane ^ call->operand;
        break;
    }
    const auto* source = static_cast<ExchangeCall*>(lanes[from]);
    if (source)
      call->result = source->value;
    else
      report_inactive_source(lane_of_warp(lane), from);
  }
}

struct VoteCall {
  uint32_t value, result;
};
template <class F>
void on_votes(void** lanes, F f) {
  uint32_t result = 0;
  for (int lane = 0; lane < 32; ++lane)
    if (lanes[lane]) result = f(result, static_cast<VoteCall*>(lanes[lane])->value, lane);
  for (int lane = 0; lane < 32; ++lane)
    if (lanes[lane]) static_cast<VoteCall*>(lanes[lane])->result = result;
}
void run_ballot(void** lanes) {
  on_votes(lanes, [](uint32_t sum, uint32_t vote, int lane) { return sum | vote << lane; });
}
void run_reduce_add(void** lanes) {
  on_votes(lanes, [](uint32_t sum, uint32_t value, int) { return sum + value; });
}

float low_half(uint32_t pair) { return std::bit_cast<float>(pair << 16); }
float high_half(uint32_t pair) { return std::bit_cast<float>(pair & 0xffff0000u); }

// Of what needs all 32 lanes: false, and a report by the first that is there, when one is not. (The
// running thread may be one that has just ended.)
bool all_there(void** lanes) {
  int missing = -1, first = -1;
  for (int lane = 31; lane >= 0; --lane) (lanes[lane] ? first : missing) = lane;
  if (missing >= 0) report_missing_lane(lane_of_warp(first), missing);
  return missing < 0;
}

struct MmaCall {
  float* d;
  const uint32_t *a, *b;
};
void run_mma(void** lanes) {
  if (!all_there(lanes)) return;
  float a[16][16], b[16][8];
  for (size_t lane = 0; lane < 32; ++lane) {
    const auto* call = static_cast<MmaCall*>(lanes[lane]);
    const size_t g = lane / 4, t = lane % 4;
    for (size_t i = 0; i < 4; ++i) {
      const size_t row = g + (i % 2) * 8, column = 2 * t + (i / 2) * 8;
      a[row][column] = low_half(call->a[i]);
      a[row][column + 1] = high_half(call->a[i]);
    }
    for (size_t i = 0; i < 2; ++i) {
      b[2 * t + 8 * i][g] = low_half(call->b[i]);
      b[2 * t + 8 * i + 1][g] = high_half(call->b[i]);
    }
  }
  for (size_t lane = 0; lane < 32; ++lane) {
    float* d = static_cast<MmaCall*>(lanes[lane])->d;
    for (size_t i = 0; i < 4; ++i) {
      const size_t row = lane / 4 + (i / 2) * 8, column = 2 * (lane % 4) + i % 2;
      float sum = d[i];
      for (size_t k = 0; k < 16; ++k) sum += a[row][k] * b[k][column];
      d[i] = sum;
    }
  }
}

struct LdmatrixCall {
  uint32_t* r;
  const void* row;
  bool transpose;
};
void run_ldmatrix(void** lanes) {
  if (!all_there(lanes)) return;
  for (size_t m = 0; m < 4; ++m) {
    uint16_t element[8][8];
    for (size_t row = 0; row < 8; ++row)
      std::memcpy(element[row], static_cast<LdmatrixCall*>(lanes[m * 8 + row])->row,
                  sizeof(element[row]));
    for (size_t lane = 0; lane < 32; ++lane) {
      auto* call = static_cast<LdmatrixCall*>(lanes[lane]);
      const size_t i = lane / 4, j = 2 * (lane % 4);
      const uint32_t low = call->transpose ? element[j][i] : element[i][j],
                     high = call->transpose ? element[j + 1][i] : element[i][j + 1];
      call->r[m] = low | high << 16;
    }
  }
}

// cp.async: groups of copies of each thread.
struct Copy {
  void* to;
  const void* from;
  bool zero;
};
using Group = std::deque<Copy>;
std::map<int, std::deque<Group>>& pending() {
  static auto& table = *new std::map<int, std::deque<Group>>;
  return table;
}
std::deque<Group>& groups_of_thread() {
  std::deque<Group>& groups = pending()[current_thread()->linear];
  if (groups.empty()) groups.emplace_back();  // the last one is open
  return groups;
}

}  // namespace

uint64_t exchange(Exchange kind, unsigned mask, uint64_t value, int operand, int width) {
  ExchangeCall call{kind, value, value, operand, width};
  meet(mask, run_exchange, &call, __builtin_return_address(0), false);
  return call.result;
}

unsigned ballot(unsigned mask, bool predicate) {
  VoteCall call{predicate, 0};
  meet(mask, run_ballot, &call, __builtin_return_address(0), false);
  return call.result;
}

uint32_t reduce_add(unsigned mask, uint32_t value) {
  VoteCall call{value, 0};
  meet(mask, run_reduce_add, &call, __builtin_return_address(0), false);
  return call.result;
}

uint64_t update_atomically(void* address, int bytes, uint64_t (*change)(uint64_t, const void*),
                           const void* argument) {
  observe(address, bytes, true, true, __builtin_return_address(0));
  uint64_t old = 0;
  std::memcpy(&old, address, static_cast<size_t>(bytes));
  const uint64_t fresh = change(old, argument);
  std::memcpy(address, &fresh, static_cast<size_t>(bytes));
  return old;
}

void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  MmaCall call{d, a, b};
  meet(kFullWarp, run_mma, &call, __builtin_return_address(0), false);
}

void ldmatrix_x4(uint32_t (&r)[4], const void* row, bool transpose) {
  observe(row, 16, false, false, __builtin_return_address(0));
  LdmatrixCall call{r, row, transpose};
  meet(kFullWarp, run_ldmatrix, &call, __builtin_return_address(0), false);
}

void cp_async_16(void* shared, const void* global, bool zero) {
  if (!zero) observe(global, 16, false, false, __builtin_return_address(0));
  groups_of_thread().back().push_back({shared, global, zero});
}

void cp_async_commit() { groups_of_thread().emplace_back(); }

void cp_async_wait(int groups_left) {
  std::deque<Group>& groups = groups_of_thread();
  while (groups.size() > static_cast<size_t>(groups_left) + 1) {
    for (const Copy& copy : groups.front()) {
      observe(copy.to, 16, true, false, __builtin_return_address(0));
      if (copy.zero)
        std::memset(copy.to, 0, 16);
      else
        std::memcpy(copy.to, copy.from, 16);
    }
    groups.pop_front();
  }
}

void forget_copies(const Thread& thread) { pending().erase(thread.linear); }

void* dynamic_shared() { return reinterpret_cast<void*>(dynamic_space().base); }

// Shared memory holds what the last block left there: nothing that one may rely on.
void begin_block_shared() { std::memset(dynamic_shared(), 0xff, current_grid().shared_bytes); }

}  // namespace emu
