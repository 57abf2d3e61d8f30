#include "tools/train/toml_config.h"

#include <algorithm>

#include "tests/support.h"

namespace lk {
namespace {

struct Options {
  std::string text = "plain", list, separator = "\n";
  int64_t count = 3;
  uint64_t seed = 0;
  double rate = 1e-3;
  bool flag = false, other = false;
};

// Parses a command line, and a config file where `toml` is not empty; returns the options in force.
Options parse(const test::TempDir& dir, const std::string& toml, std::vector<std::string> line,
              std::string* written = nullptr) {
  CLI::App app("test");
  Options o;
  app.set_config("--config")->configurable(false);
  app.config_formatter(std::make_shared<TomlConfig>());
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_option("--text", o.text)->capture_default_str();
  app.add_option("--list", o.list);
  app.add_option("--separator", o.separator)->capture_default_str();
  app.add_option("--count", o.count)->capture_default_str();
  app.add_option("--seed", o.seed)->capture_default_str();
  app.add_option("--learning-rate", o.rate)->capture_default_str();
  app.add_flag("--flag", o.flag);
  app.add_flag("--other", o.other);
  if (!toml.empty()) {
    test::write_file(dir / "c.toml", toml);
    line.insert(line.end(), {"--config", (dir / "c.toml").string()});
  }
  std::reverse(line.begin(), line.end());  // as CLI11 takes them
  app.parse(line);
  if (written) *written = app.config_to_str(true, false);
  return o;
}

TEST_CASE("toml: every kind of value that an option can take, and the command line wins") {
  const test::TempDir dir;
  const std::string toml = R"(# a comment
text = """
two
lines # no comment"""   # a comment
"list" = ["q_proj",   # over several lines
          'v_proj']
separator = " \t\u00e9\"="
count = 1_000
seed = 0x10
learning-rate = 2.5e-4
flag = true
other = false
)";
  const Options o = parse(dir, toml, {});
  CHECK(o.text == "two\nlines # no comment");
  CHECK(o.list == "q_proj,v_proj");
  CHECK(o.separator == " \t\xC3\xA9\"=");
  CHECK(o.count == 1000);
  CHECK(o.seed == 16);
  CHECK(o.rate == 2.5e-4);
  CHECK(o.flag);
  CHECK(!o.other);
  const Options won = parse(dir, toml, {"--count", "7", "--text", "t", "--other"});
  CHECK(won.count == 7);
  CHECK(won.text == "t");
  CHECK(won.other);
  CHECK(won.seed == 16);
}

TEST_CASE("toml: what is written is read again as the same options") {
  const test::TempDir dir;
  const std::vector<std::vector<std::string>> lines{
      {},
      {"--text", "1.0", "--list", "a,b", "--count", "-4", "--seed", "18446744073709551615",
       "--learning-rate", "1e-30", "--flag"},
      {"--text", "007", "--separator", "", "--learning-rate", "3"},
      {"--text", "true", "--list", "a \"quoted\" \\ 'one'", "--separator", "\n\n\t"},
      {"--text", "0x10", "--list", "1e3"},
      {"--text", "1_000", "--list", "inf"}};
  for (const auto& line : lines) {
    std::string written, again;
    const Options a = parse(dir, "", line, &written);
    CAPTURE(written);
    const Options b = parse(dir, written, {}, &again);
    CHECK(written == again);
    CHECK(a.text == b.text);
    CHECK(a.list == b.list);
    CHECK(a.separator == b.separator);
    CHECK(a.count == b.count);
    CHECK(a.seed == b.seed);
    CHECK(a.rate == b.rate);
    CHECK(a.flag == b.flag);
  }
}

TEST_CASE("toml: what is not TOML, not an option, or no such value, is an error with its place") {
  const test::TempDir dir;
  const auto says = [&](const std::string& toml, const std::string& words) {
    std::string message = "no error";
    try {
      parse(dir, toml, {});
    } catch (const CLI::ParseError& e) {
      message = e.what();
    }
    CAPTURE(toml);
    CAPTURE(message);
    CHECK(message.find(words) != std::string::npos);
  };
  says("count = 3\ncuont = 4\n", "cuont");
  says("count = many\n", "line 1");
  says("text = \"a\"\ntext = \"b\"\n", "line 2");
  says("count = \"many\"", "--count");
  says("count = 1.5", "--count");
  says("\n[train]\ncount = 3\n", "'train' is a table");
  says("train.count = 3\n", "'train' is a table");
  says("count = 1979-05-27\n", "'count' is a date or time");
  says("list = [[1], [2]]\n", "list of lists");
  says("config = \"other.toml\"\n", "config");
}

}  // namespace
}  // namespace lk
