#include "data/jinja/filters.h"

#include "engine/error.h"

namespace lk::jinja {

Value apply_filter(const std::string& name, const Value& v, Arguments& args) {
  for (const FilterTable* table : {&text_filters(), &sequence_filters()})
    if (const auto found = table->find(name); found != table->end()) {
      Value out = found->second(v, args);
      args.done("the filter '" + name + "'");
      return out;
    }
  fail("unknown filter '{}'", name);
}

}  // namespace lk::jinja
