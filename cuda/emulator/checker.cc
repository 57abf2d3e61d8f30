#include "cuda/emulator/checker.h"

#include <map>

#include "cuda/emulator/memory.h"
#include "cuda/emulator/reports.h"
#include "cuda/emulator/source.h"

namespace emu {
namespace {

std::string kind_of(bool write, int bytes) {
  return std::string(write ? "write" : "read") + " of " + std::to_string(bytes) + " bytes";
}

void report_address(Fault fault, uintptr_t address, const std::string& what, const void* site) {
  const Block block = nearest_block(address);
  std::string text = what;
  if (block.bytes > 0 || block.begin > 0) {
    const auto at = static_cast<int64_t>(address) - static_cast<int64_t>(block.begin);
    text += at < 0 ? ", " + std::to_string(-at) + " bytes before"
                   : ", at byte " + std::to_string(at) + " of";
    text += " a block of " + std::to_string(block.bytes) + " bytes";
    if (fault == Fault::use_after_free) text += " that was freed";
  }
  report(fault, site, *current_thread(), text);
}

// Whether `before` happened before what the running thread does now.
bool ordered(const Access& before, const Thread& now) {
  if (before.block != current_block()) return before.block < current_grid().first_block;
  if (before.thread == static_cast<unsigned>(now.linear)) return true;
  if (before.time < last_barrier()) return true;
  const int linear = static_cast<int>(before.thread);
  return linear / 32 == now.warp() &&
         before.time < last_meeting(linear % 32, now.lane(), now.warp());
}

bool races(const Access& before, unsigned mask, bool atomic, const Thread& now, bool shared) {
  return before.mask & mask && !(before.atomic && atomic) &&
         !(shared && before.block != current_block()) && !ordered(before, now);
}

void report_race(const Access& before, bool before_wrote, bool write, int bytes, bool shared,
                 const Thread& now, const void* site) {
  const Party other{before.site, block_index(before.block),
                    thread_index(static_cast<int>(before.thread))};
  std::string who = "thread " + text_of(other.thread);
  if (before.block != current_block()) who += " of block " + text_of(other.block);
  report(Fault::race, site, now,
         kind_of(write, bytes) + " of " + (shared ? "shared" : "global") + " memory that " + who +
             (before_wrote ? " wrote" : " read") + " with no barrier between",
         other);
}

// Keeps the newest access, and one more where other bytes or another thread are concerned.
void keep(Access (&slots)[2], const Access& fresh, const Thread& now) {
  Access& first = slots[0];
  const bool same = first.block == fresh.block && first.thread == fresh.thread;
  if (same && first.time == fresh.time && first.atomic == fresh.atomic) {
    first.mask |= fresh.mask;
    first.site = fresh.site;
  } else if (same || first.mask == 0 || ordered(first, now)) {
    first = fresh;
  } else {
    slots[1] = fresh;
  }
}

// The shared variable whose slot (__shared__ in cuda_runtime.h) an address lies in; bytes is 0
// where there is none: other data of the program is no device memory.
const Variable& shared_variable(uintptr_t address) {
  static auto& known = *new std::map<uintptr_t, Variable>;
  constexpr uintptr_t kSlot = 65536;
  // Older kernels load a program at multiples of a page: slots are counted from its beginning.
  const uintptr_t slot = address - (address - code_base()) % kSlot;
  const auto [found, fresh] = known.try_emplace(slot);
  if (fresh) on_main_stack([&] { found->second = variable_at(slot); });
  if (found->second.begin != slot) found->second.bytes = 0;
  return found->second;
}

void check_words(const Space& space, bool shared, uintptr_t address, int bytes, bool write,
                 bool atomic, const void* site) {
  const Thread& now = *current_thread();
  const uintptr_t end = address + static_cast<uintptr_t>(bytes);
  bool raced = false, unwritten = false;
  Access fresh{current_block(), block_time(), 0, 0, 0, site_number(site)};
  fresh.thread = static_cast<unsigned>(now.linear) & 0x7ffu;
  fresh.atomic = atomic;
  for (uintptr_t at = address & ~uintptr_t{3}; at < end; at += 4) {
    const size_t word = space.word(at);
    unsigned mask = 0xfu;
    if (at < address) mask &= 0xfu << (address - at);
    if (at + 4 > end) mask &= 0xfu >> (at + 4 - end);
    Stamp& stamp = space.stamps[word];
    if (!shared && (stamp >> 4 & mask) != mask) {
      const Block block = nearest_block(at);
      const bool inside = at >= block.begin && at < block.begin + block.bytes;
      report_address(inside && block.freed ? Fault::use_after_free : Fault::out_of_bounds,
                     stamp >> 4 & 0xfu ? block.begin + block.bytes : at, kind_of(write, bytes),
                     site);
      return;
    }
    if (shared && stamp >> 4 != shared_stamp()) stamp = shared_stamp() << 4;
    if ((!write || atomic) && (stamp & mask) != mask) unwritten = true;
    if (write) stamp |= mask;
    Cell& cell = space.cells[word];
    for (const Access& before : cell.write)
      if (!raced && races(before, mask, atomic, now, shared)) {
        report_race(before, true, write, bytes, shared, now, site);
        raced = true;
      }
    if (write)
      for (const Access& before : cell.read)
        if (!raced && races(before, mask, atomic, now, shared)) {
          report_race(before, false, write, bytes, shared, now, site);
          raced = true;
        }
    fresh.mask = mask & 0xfu;
    keep(write ? cell.write : cell.read, fresh, now);
  }
  if (unwritten)
    report(Fault::uninitialised, site, now,
           kind_of(write, bytes) + (shared ? " of shared memory" : " of global memory") +
               " that nothing has written");
}

void check_static(uintptr_t address, int bytes, bool write, bool atomic, const void* site) {
  const Variable& v = shared_variable(address);
  const size_t at = address - v.begin;
  if (v.bytes > 0 && at + static_cast<size_t>(bytes) > v.bytes)
    return report(Fault::out_of_bounds, site, *current_thread(),
                  kind_of(write, bytes) + " at byte " + std::to_string(at) +
                      " of the shared variable " + v.name + " of " + std::to_string(v.bytes) +
                      " bytes");
  check_words(static_space(), true, address, bytes, write, atomic, site);
}

// A thread that waits.
Party party_of(const Thread& thread) {
  return {site_number(thread.site), block_index(), thread_index(thread.linear)};
}

}  // namespace

void check_access(uintptr_t address, int bytes, bool write, bool atomic, bool vector,
                  const void* site) {
  if (on_fiber_stack(address) || in_arguments(address)) return;
  if (address - reinterpret_cast<uintptr_t>(&here) < sizeof(here)) return;
  if (vector && address % static_cast<uintptr_t>(bytes) != 0)
    report(Fault::misaligned, site, *current_thread(),
           kind_of(write, bytes) + " at an address that is " +
               std::to_string(address % static_cast<uintptr_t>(bytes)) + " past a multiple of it");
  if (global_space().contains(address))
    return check_words(global_space(), false, address, bytes, write, atomic, site);
  if (dynamic_space().contains(address)) {
    const uintptr_t end = dynamic_space().base + current_grid().shared_bytes;
    if (address + static_cast<uintptr_t>(bytes) > end)
      return report(Fault::out_of_bounds, site, *current_thread(),
                    kind_of(write, bytes) + " past the launch's " +
                        std::to_string(current_grid().shared_bytes) + " bytes of shared memory");
    return check_words(dynamic_space(), true, address, bytes, write, atomic, site);
  }
  if (static_space().contains(address) && shared_variable(address).bytes > 0)
    return check_static(address, bytes, write, atomic, site);
  report(Fault::out_of_bounds, site, *current_thread(),
         kind_of(write, bytes) + " of what is no device memory");
  // Reading on would end the program.
  if (!static_space().contains(address)) abandon_launch(cudaErrorIllegalAddress);
}

bool check_barrier(std::vector<Thread>& threads) {
  const Thread *waiting = nullptr, *other = nullptr, *stuck = nullptr, *gone = nullptr;
  for (const Thread& t : threads) {
    if (t.state == Thread::State::in_collective && !stuck) stuck = &t;
    if (t.state == Thread::State::done && !gone) gone = &t;
    if (t.state != Thread::State::at_barrier) continue;
    if (!waiting) waiting = &t;
    if (t.site != waiting->site && !other) other = &t;
  }
  if (stuck) {
    std::string lanes;
    const Thread* missing = nullptr;
    for (const Thread& t : threads)
      if (t.warp() == stuck->warp() && stuck->mask >> t.lane() & 1 &&
          t.state != Thread::State::done &&
          (t.state != stuck->state || t.operation != stuck->operation || t.mask != stuck->mask)) {
        lanes += (lanes.empty() ? "" : ", ") + std::to_string(t.lane());
        missing = &t;
      }
    report(Fault::inactive_lane, stuck->site, *stuck,
           "a warp-wide operation waits for lanes " + lanes + ", which wait elsewhere",
           missing ? party_of(*missing) : Party{});
    return false;
  }
  if (gone)
    report(Fault::barrier, waiting->site, *waiting,
           "a barrier that thread " + text_of(thread_index(gone->linear)) +
               " never reaches: it has ended",
           {kNoSite, block_index(), thread_index(gone->linear)});
  else if (other) {
    const Place a = place_of(site_number(waiting->site)), b = place_of(site_number(other->site));
    if (a.line != b.line || a.file != b.file)
      report(Fault::barrier, waiting->site, *waiting,
             "a barrier, while thread " + text_of(thread_index(other->linear)) +
                 " waits at another one",
             party_of(*other));
  }
  return true;
}

void report_outside_mask(const Thread& thread) {
  report(Fault::inactive_lane, thread.site, thread,
         "a warp-wide operation whose mask leaves out the calling lane");
  abandon_launch(cudaErrorLaunchFailure);
}

void report_inactive_source(const Thread& thread, int lane) {
  report(Fault::inactive_lane, thread.site, thread,
         "a shuffle reads lane " + std::to_string(lane) + ", which takes no part in it");
}

void report_missing_lane(const Thread& thread, int lane) {
  report(Fault::inactive_lane, thread.site, thread,
         "an operation of all 32 lanes, of which lane " + std::to_string(lane) + " has ended");
}

}  // namespace emu
