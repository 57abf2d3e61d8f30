// From addresses of the program to names and lines (libbacktrace).
#pragma once

#include <cstdint>
#include <string>

#include "cuda/emulator/emulator.h"

namespace emu {

uintptr_t code_base();  // sites are kept as distances from here
Place place_of(uint32_t site);
// Of a mangled name: "add_kernel<float>".
std::string short_name(const std::string& symbol);
// The demangled name without its arguments; "?" where the program has no symbols.
std::string name_of_function(const void* function);
// The variable at an address of the data segment; bytes is 0 where there is none.
struct Variable {
  std::string name;  // without its scope
  uintptr_t begin = 0;
  size_t bytes = 0;
};
Variable variable_at(uintptr_t address);

}  // namespace emu
