// Every construct against Jinja2 itself, set up as transformers does (vectors/make_vectors.py).
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "data/jinja/json.h"
#include "data/jinja/template.h"
#include "engine/error.h"
#include "engine/files/json.h"

namespace lk {
namespace {

const std::filesystem::path kFolder = "tests/data/jinja/vectors";

TEST_CASE("jinja: what Jinja2 renders, and what it refuses") {
  const auto file = nlohmann::ordered_json::parse(read_text(kFolder / "cases.json"));
  const auto variables_of = [](const nlohmann::ordered_json& node) {
    return jinja::from_json(node.dump(), "variables");
  };
  const jinja::Value shared = variables_of(file["variables"]);
  int64_t texts = 0, errors = 0;
  for (const auto& c : file["cases"]) {
    const bool own = c.contains("file");
    const std::string name = own ? c["file"].get<std::string>() : c["kind"].get<std::string>(),
                      text = own ? read_text(kFolder / "templates" / name)
                                 : c["template"].get<std::string>();
    CAPTURE(name);
    CAPTURE(own ? c["variables"].dump() : text);
    const jinja::Value variables = own ? variables_of(c["variables"]) : shared;
    jinja::Rendered got;
    std::string error;
    try {
      got = jinja::Template(text, name).render(*variables.dict());
    } catch (const Error& e) {
      error = e.what();
    }
    if (c.contains("error")) {
      CHECK(error.find("chat template " + name + ":") == 0);
      ++errors;
      continue;
    }
    CHECK(error == "");
    CHECK(got.text == c["text"].get<std::string>());
    CHECK(nlohmann::json(got.generated) ==
          nlohmann::json(c.value("spans", nlohmann::json::array())));
    ++texts;
  }
  CHECK(texts > 200);
  CHECK(errors > 60);
}

}  // namespace
}  // namespace lk
