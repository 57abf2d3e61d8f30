#include "cuda/emulator/reports.h"

#include <cstdio>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "cuda/emulator/source.h"

namespace emu {
namespace {

struct Reports {
  bool wanted = false;
  std::vector<Report> all;
  std::map<std::tuple<Fault, const void*, uint32_t>, size_t> index;
};
Reports& reports() {
  static Reports& r = *new Reports;
  return r;
}
// What checkers found around the one that lives.
std::vector<Reports>& outer_reports() {
  static auto& outer = *new std::vector<Reports>;
  return outer;
}

std::string text_of(const Place& place) { return place.file + ":" + std::to_string(place.line); }

}  // namespace

const char* name_of(Fault fault) {
  constexpr const char* names[] = {"out of bounds", "use after free", "uninitialised read",
                                   "misaligned",    "race",           "barrier",
                                   "inactive lane", "in flight"};
  return names[static_cast<size_t>(fault)];
}

bool checking() { return reports().wanted; }

uint32_t site_number(const void* site) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(site) - code_base());
}

std::string text_of(const uint3& v) {
  return "(" + std::to_string(v.x) + "," + std::to_string(v.y) + "," + std::to_string(v.z) + ")";
}

void report(Fault fault, const void* site, const Thread& thread, const std::string& what,
            const Party& other) {
  on_main_stack([&] {
    Reports& r = reports();
    const auto key = std::tuple(fault, current_grid().kernel, site_number(site));
    const auto [found, fresh] = r.index.try_emplace(key, r.all.size());
    if (!fresh && r.wanted) {
      ++r.all[found->second].count;
      return;
    }
    Report one;
    one.fault = fault;
    one.kernel = name_of_function(current_grid().kernel);
    one.place = place_of(site_number(site));
    one.block = block_index();
    one.thread = thread_index(thread.linear);
    if (other.site != kNoSite) one.other = place_of(other.site);
    one.other_block = other.block;
    one.other_thread = other.thread;
    one.text = text_of(one.place) + ": " + name_of(fault) + " in " + one.kernel + ", block " +
               text_of(one.block) + ", thread " + text_of(one.thread) + ": " + what;
    if (other.site != kNoSite) one.text += " (" + text_of(one.other) + ")";
    if (r.wanted) {
      r.all.push_back(one);
    } else {
      std::fprintf(stderr, "%s\n", one.text.c_str());
      r.index.clear();
    }
  });
}

void report_host(Fault fault, const std::string& what) {
  Report one;
  one.fault = fault;
  one.text = std::string(name_of(fault)) + ": " + what;
  if (reports().wanted)
    reports().all.push_back(one);
  else
    std::fprintf(stderr, "%s\n", one.text.c_str());
}

Checker::Checker() {
  outer_reports().push_back(std::move(emu::reports()));
  emu::reports() = {.wanted = true, .all = {}, .index = {}};
}
Checker::~Checker() {
  emu::reports() = std::move(outer_reports().back());
  outer_reports().pop_back();
}
const std::vector<Report>& Checker::reports() const { return emu::reports().all; }
std::string Checker::text() const {
  std::string text;
  for (const Report& r : reports()) text += r.text + "\n";
  return text;
}

}  // namespace emu
