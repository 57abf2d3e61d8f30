#include "tools/compare/document.h"

#include "engine/error.h"

namespace lk {

std::string with_section(const std::string& document, const std::string& name,
                         const std::string& section, const std::string& file) {
  const std::string begin = "<!-- compare: " + name + " -->\n",
                    end = "<!-- end: " + name + " -->\n";
  const size_t from = document.find(begin), to = document.find(end);
  const std::string block = begin + section + end;
  if (from == std::string::npos && to == std::string::npos)
    return document + (document.empty() || document.back() == '\n' ? "\n" : "\n\n") + block;
  require(from != std::string::npos && to != std::string::npos && from < to,
          "{}: of the comments around '{}' one is missing or they are in the wrong order; expected "
          "{}...{}",
          file, name, begin, end);
  return document.substr(0, from) + block + document.substr(to + end.size());
}

}  // namespace lk
