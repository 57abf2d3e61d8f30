// What stands behind a bar.
#pragma once

#include <map>

#include "data/jinja/value.h"

namespace lk::jinja {

// Error for a filter that is not known.
Value apply_filter(const std::string& name, const Value& v, Arguments& args);

using Filter = Value (*)(const Value& v, Arguments& args);
using FilterTable = std::map<std::string, Filter, std::less<>>;
const FilterTable& text_filters();      // of texts and numbers (filters_text.cc)
const FilterTable& sequence_filters();  // of lists and dictionaries (filters_sequence.cc)

}  // namespace lk::jinja
