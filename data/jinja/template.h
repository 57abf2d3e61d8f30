// A Jinja template: the part of the language that chat templates use, set up as
// transformers.utils.chat_template_utils sets it up (ImmutableSandboxedEnvironment, trim_blocks,
// lstrip_blocks, loop controls, its own tojson, {% generation %}).
//
// Not there, each an Error with its line: call, block, extends, include, import, autoescape,
// recursive loops, *args and **kwargs, keys of a dict that are no str, ints beyond 64 bits, % on a
// str.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/jinja/value.h"

namespace lk::jinja {

struct Rendered {
  std::string text;
  // Bytes of the text that {% generation %} blocks cover: begin, end. Those inside of a macro or
  // {% set %} block are not known, as in transformers.
  std::vector<std::pair<size_t, size_t>> generated;
};

// Copies share one immutable tree; render may be called from several threads.
class Template {
 public:
  // `name` stands for the file in messages. Error with line for what is wrong or not supported.
  Template(const std::string& text, const std::string& name);

  // Errors name the template, the line and show it. What a template can do is bounded: steps,
  // depth of macros, sizes of texts and values.
  Rendered render(const Dict& variables, Budget budget = {}) const;
  bool has_generation() const;  // a {% generation %} block stands in the text

 private:
  struct Parts;
  std::shared_ptr<const Parts> parts_;
};

}  // namespace lk::jinja
