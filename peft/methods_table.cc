#include "peft/methods_table.h"

#include <fmt/core.h>

#include "peft/method.h"

namespace lk {

std::string methods_table() {
  std::string out = "| method | what trains | paper | HF PEFT's type |\n|---|---|---|---|\n";
  for (const MethodInfo& m : methods())
    out += fmt::format("| `{}` | {} | {} | {} |\n", m.name, m.summary, m.paper,
                       m.peft_type.empty() ? "" : "`" + m.peft_type + "`");
  return out;
}

}  // namespace lk
