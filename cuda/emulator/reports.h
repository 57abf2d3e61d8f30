// What was found, kept for whoever made a Checker; printed when nobody did.
#pragma once

#include <cstdint>
#include <string>

#include "cuda/emulator/emulator.h"
#include "cuda/emulator/scheduler.h"

namespace emu {

bool checking();  // somebody made a Checker

inline constexpr uint32_t kNoSite = 0;
uint32_t site_number(const void* site);

// Another thread that has its part in a fault.
struct Party {
  uint32_t site = kNoSite;
  uint3 block{}, thread{};
};
void report(Fault fault, const void* site, const Thread& thread, const std::string& what,
            const Party& other = {});
// The host's fault, outside of kernels.
void report_host(Fault fault, const std::string& what);

std::string text_of(const uint3& index);  // "(1,0,0)"

}  // namespace emu
