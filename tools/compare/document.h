// Sections in a Markdown document that people write in too.
#pragma once

#include <string>

namespace lk {

// The document with `section` between the comments that carry `name`, instead of what stands there;
// at its end, with such comments, where there are none. file: for the Error where one is missing.
std::string with_section(const std::string& document, const std::string& name,
                         const std::string& section, const std::string& file);

}  // namespace lk
