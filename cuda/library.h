// Functions of NVIDIA's libraries, looked up when the first of them is wanted: linked to the tools,
// the libraries cost each of them hundreds of MB and a part of a second at the start, on the CPU
// too.
#pragma once

#include <dlfcn.h>

#include <string>

#include "engine/error.h"

namespace lk {

// F: the function's type. Error when the library (a file's name, "libcublasLt.so.13") cannot be
// loaded, or has no such function.
template <class F>
F* library_function(const std::string& library, const char* name) {
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  require(handle != nullptr, "{} cannot be loaded: {}; use --device cpu", library,
          handle ? "" : dlerror());
  void* const found = dlsym(handle, name);
  require(found != nullptr, "{} has no {}; use --device cpu", library, name);
  return reinterpret_cast<F*>(found);
}

}  // namespace lk
