#include "cuda/emulator/source.h"

#include <cxxabi.h>

#include <cstdlib>

extern char __executable_start;  // NOLINT(bugprone-reserved-identifier): the linker's name

// libbacktrace comes with gcc, in a folder where other compilers do not look for its header.
extern "C" {
struct backtrace_state;
using backtrace_error = void (*)(void* data, const char* message, int error);
using backtrace_frame = int (*)(void* data, uintptr_t pc, const char* file, int line,
                                const char* function);
using backtrace_symbol = void (*)(void* data, uintptr_t pc, const char* symbol, uintptr_t value,
                                  uintptr_t size);
backtrace_state* backtrace_create_state(const char* program, int threaded, backtrace_error error,
                                        void* data);
int backtrace_pcinfo(backtrace_state* state, uintptr_t pc, backtrace_frame frame,
                     backtrace_error error, void* data);
int backtrace_syminfo(backtrace_state* state, uintptr_t address, backtrace_symbol symbol,
                      backtrace_error error, void* data);
}

namespace emu {
namespace {

void ignore_error(void*, const char*, int) {}

backtrace_state* state() {
  static backtrace_state* s = backtrace_create_state(nullptr, 0, ignore_error, nullptr);
  return s;
}

std::string demangle(const char* name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string result = status == 0 ? text : name;
  std::free(text);
  return result;
}

// "void lk::(anonymous namespace)::add_kernel<float>(float*, int)" -> "add_kernel<float>"
std::string shorten(const std::string& full) {
  int depth = 0;
  size_t end = full.size();
  for (size_t i = full.size(); i-- > 0;) {  // the argument list is the last parenthesis
    if (full[i] == ')' && depth++ == 0) end = i;
    if (full[i] == '(' && --depth == 0) {
      end = i;
      break;
    }
  }
  size_t begin = 0;
  depth = 0;
  for (size_t i = 0; i < end; ++i) {
    if (full[i] == '<' || full[i] == '(') ++depth;
    if (full[i] == '>' || full[i] == ')') --depth;
    if (depth == 0 && (full[i] == ' ' || full[i] == ':')) begin = i + 1;
  }
  return full.substr(begin, end - begin);
}

}  // namespace

std::string short_name(const std::string& symbol) { return shorten(demangle(symbol.c_str())); }

uintptr_t code_base() { return reinterpret_cast<uintptr_t>(&__executable_start); }

Place place_of(uint32_t site) {
  Place place;
  // Inlined frames come innermost first: take the first that is not a helper's.
  const auto frame = [](void* data, uintptr_t, const char* file, int line, const char*) {
    if (!file) return 0;
    auto* found = static_cast<Place*>(data);
    found->file = file;
    found->line = line;
    const bool helper = found->file.ends_with("intrinsics.h") ||
                        found->file.find("emulator/include/") != std::string::npos;
    return helper ? 0 : 1;
  };
  // A return address is one past the call.
  backtrace_pcinfo(state(), code_base() + site - 1, frame, ignore_error, &place);
  return place;
}

std::string name_of_function(const void* function) {
  std::string name = "?";
  const auto found = [](void* data, uintptr_t, const char* symbol, uintptr_t, uintptr_t) {
    if (symbol) *static_cast<std::string*>(data) = shorten(demangle(symbol));
  };
  backtrace_syminfo(state(), reinterpret_cast<uintptr_t>(function), found, ignore_error, &name);
  return name;
}

Variable variable_at(uintptr_t address) {
  Variable variable;
  const auto found = [](void* data, uintptr_t, const char* symbol, uintptr_t value,
                        uintptr_t size) {
    if (!symbol) return;
    const std::string full = demangle(symbol);
    const size_t scope = full.rfind("::");
    *static_cast<Variable*>(data) = {scope == std::string::npos ? full : full.substr(scope + 2),
                                     value, size};
  };
  backtrace_syminfo(state(), address, found, ignore_error, &variable);
  if (address - variable.begin >= variable.bytes) variable.bytes = 0;
  return variable;
}

}  // namespace emu
