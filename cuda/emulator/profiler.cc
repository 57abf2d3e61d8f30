// Lanes of a warp run one after another here, in lock step on a device: the n-th time that a lane
// passes a place in the code belongs to the same request as the n-th time of its neighbours.
#include "cuda/emulator/profiler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cuda/emulator/emulator.h"
#include "cuda/emulator/memory.h"
#include "cuda/emulator/scheduler.h"
#include "cuda/emulator/source.h"

namespace emu {
namespace {

struct Request {
  std::array<uintptr_t, 32> address;
  uint32_t lanes = 0;
  int bytes = 0;
  bool write = false;
};

// A place in the code, passed by one warp.
struct Site {
  std::array<uint32_t, 32> passed{};  // by each lane
  uint32_t first = 0;                 // pass of the oldest request that is still open
  std::deque<Request> open;
};

// What a block finds in L1 of what it has read: 32 KiB, a direct-mapped cache of sectors.
using Cache = std::array<uintptr_t, 1024>;
bool is_cached(Cache& cache, uintptr_t sector) {
  return std::exchange(cache[sector % cache.size()], sector) == sector;
}

struct State {
  Cache cache{};
  bool wanted = false;
  std::vector<const void*> order;
  std::unordered_map<const void*, Profile> profiles;
  Profile* current = nullptr;
  std::vector<std::unordered_map<const void*, Site>> warps;
};
State& state() {
  static State& s = *new State;
  return s;
}

void add_global(const Request& r, Traffic& traffic) {
  std::array<uintptr_t, 32> first;  // of the lanes' addresses, each once
  size_t n = 0;
  for (size_t lane = 0; lane < 32; ++lane)
    if (r.lanes >> lane & 1) first[n++] = r.address[lane];
  std::sort(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(n));
  n = static_cast<size_t>(
      std::unique(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(n)) - first.begin());
  const auto size = static_cast<uintptr_t>(r.bytes);
  uintptr_t last_sector = 0;
  int64_t sectors = 0;
  for (size_t i = 0; i < n; ++i)
    for (uintptr_t sector = first[i] / 32; sector <= (first[i] + size - 1) / 32; ++sector)
      if (sectors == 0 || sector > last_sector) {
        last_sector = sector;
        ++sectors;
        if (r.write || !is_cached(state().cache, sector)) ++traffic.missed;
      }
  traffic.requests += 1;
  traffic.lanes += std::popcount(r.lanes);
  traffic.sectors += sectors;
  traffic.ideal_sectors += (static_cast<int64_t>(n) * r.bytes + 31) / 32;
}

// Shared memory has 32 banks of 4 bytes. Requests of 8 and 16 bytes a lane are served for 16 and 8
// lanes at a time; each pass gives every bank one word.
void add_shared(const Request& r, Profile& p) {
  const size_t group = r.bytes <= 4 ? 32 : r.bytes == 8 ? 16 : 8;
  p.shared_requests += 1;
  for (size_t begin = 0; begin < 32; begin += group) {
    std::array<std::array<uintptr_t, 32>, 32> words;
    std::array<size_t, 32> counts{};
    size_t passes = 0;
    for (size_t lane = begin; lane < begin + group; ++lane) {
      if ((r.lanes >> lane & 1) == 0) continue;
      for (uintptr_t word = r.address[lane] / 4;
           word <= (r.address[lane] + static_cast<uintptr_t>(r.bytes) - 1) / 4; ++word) {
        auto& bank = words[word % 32];
        size_t& count = counts[word % 32];
        if (std::find(bank.begin(), bank.begin() + count, word) == bank.begin() + count)
          bank[count++] = word;
        passes = std::max(passes, count);
      }
    }
    p.bank_passes += static_cast<int64_t>(passes);
    p.ideal_bank_passes += passes > 0;
  }
}

void close(const Request& r) {
  Profile& p = *state().current;
  if (r.lanes == 0) return;
  const auto at = r.address[static_cast<size_t>(std::countr_zero(r.lanes))];
  if (global_space().contains(at))
    add_global(r, r.write ? p.write : p.read);
  else
    add_shared(r, p);
}

}  // namespace

bool profiling() { return state().wanted; }

void profile_launch(const Grid& grid) {
  const void* const kernel = grid.kernel;
  State& s = state();
  const auto [found, fresh] = s.profiles.try_emplace(kernel);
  if (fresh) {
    s.order.push_back(kernel);
    found->second.kernel = name_of_function(kernel);
  }
  s.current = &found->second;
  ++s.current->launches;
  s.current->threads =
      std::max(s.current->threads, static_cast<int>(grid.block.x * grid.block.y * grid.block.z));
  s.current->shared_bytes = std::max(s.current->shared_bytes, grid.shared_bytes);
  s.warps.clear();
  s.warps.resize(32);
}

void profile_access(uintptr_t address, int bytes, bool write, const void* site) {
  const bool shared = dynamic_space().contains(address) || static_space().contains(address);
  if (!shared && !global_space().contains(address)) return;
  if (address - reinterpret_cast<uintptr_t>(&here) < sizeof(here)) return;
  if (!shared && is_away(address)) ++state().current->away;
  const Thread& t = *current_thread();
  const auto lane = static_cast<size_t>(t.lane());
  Site& at = state().warps[static_cast<size_t>(t.warp())][site];
  const uint32_t pass = at.passed[lane]++;
  while (at.first + at.open.size() <= pass) at.open.emplace_back();
  Request& r = at.open[pass - at.first];
  r.address[lane] = address;
  r.lanes |= 1u << lane;
  r.bytes = bytes;
  r.write = write;
  while (!at.open.empty() && at.open.front().lanes == kFullWarp) {
    close(at.open.front());
    at.open.pop_front();
    ++at.first;
  }
}

void profile_barrier() { ++state().current->barriers; }
void profile_warp_operation() { ++state().current->warp_operations; }

void profile_block_end() {
  for (auto& sites : state().warps) {
    for (auto& [site, at] : sites)
      for (const Request& r : at.open) close(r);
    sites.clear();
  }
  state().cache.fill(0);
}

double Profile::sector_efficiency() const {
  const int64_t moved = read.sectors + write.sectors;
  return moved == 0 ? 1.0
                    : static_cast<double>(read.ideal_sectors + write.ideal_sectors) /
                          static_cast<double>(moved);
}
double Profile::active_lanes() const {
  const int64_t requests = read.requests + write.requests;
  return requests == 0 ? 1.0
                       : static_cast<double>(read.lanes + write.lanes) /
                             (32.0 * static_cast<double>(requests));
}

Profiler::Profiler() {
  state() = State{};
  state().wanted = true;
}
Profiler::~Profiler() { state() = State{}; }
std::vector<Profile> Profiler::profiles() const {
  std::vector<Profile> all;
  for (const void* kernel : state().order) all.push_back(state().profiles.at(kernel));
  return all;
}

int64_t Profiler::launches() const {
  int64_t sum = 0;
  for (const Profile& p : profiles()) sum += p.launches;
  return sum;
}

}  // namespace emu
