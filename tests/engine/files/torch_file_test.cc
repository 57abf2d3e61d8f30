// tests/engine/files/torch holds the same state dict as torch saves it in both formats.
#include "engine/files/torch_file.h"

#include "tests/support.h"
#include "tests/torch_writer.h"

namespace lk {
namespace {

namespace p = test::pickle;

std::string error_for(const std::string& bytes) {
  const test::TempDir dir;
  test::write_file(dir / "a.bin", bytes);
  return test::error_of([&] { read_torch_file(dir / "a.bin"); });
}

void check_says(const std::string& bytes, const std::string& words) {
  const std::string message = error_for(bytes);
  CAPTURE(message);
  CHECK(message.find(words) != std::string::npos);
  CHECK(message.find("a.bin: ") != std::string::npos);
}

// A state dict of one tensor of four floats.
std::string with_tensor(const p::TensorFields& fields, size_t storage_bytes = 16) {
  return test::torch_archive(p::whole(p::dict({{"w", p::tensor(fields)}})),
                             {std::string(storage_bytes, '\0')});
}

using Values = std::vector<double>;

TEST_CASE("torch file: what torch saved, in its format and in the one before 1.6") {
  for (const char* name : {"state.bin", "legacy.bin"}) {
    CAPTURE(name);
    const auto tensors = read_torch_file(std::filesystem::path("tests/engine/files/torch") / name);
    CHECK(tensors.size() == 10);
    const auto check = [&](const char* key, DType dtype, const Shape& shape, const Values& values) {
      CAPTURE(key);
      REQUIRE(tensors.count(key) == 1);
      const Tensor t = tensors.at(key).get();
      CHECK(t.dtype() == dtype);
      CHECK(t.shape() == shape);
      CHECK(t.to_vector<double>() == values);
    };
    check("f32", DType::f32, {2, 3}, {0, 1, 2, 3, 4, 5});
    check("shared", DType::f32, {2, 3}, {0, 1, 2, 3, 4, 5});
    check("transposed", DType::f32, {3, 2}, {0, 3, 1, 4, 2, 5});
    check("view", DType::f32, {2, 2}, {2, 3, 4, 5});
    check("bf16", DType::bf16, {2}, {1.5, -2});
    check("f16", DType::f16, {2}, {0.5, -0.25});
    check("i64", DType::i64, {}, {7});
    check("bool", DType::u8, {2}, {1, 0});
    check("parameter", DType::f32, {1}, {3});
    check("empty", DType::f32, {0, 4}, {});
    // An archive's tensors are aligned and need no copy.
    CHECK(tensors.at("f32").get().is_mapped() == (name == std::string("state.bin")));
  }
}

TEST_CASE("torch file: every truncation is an error, and no changed byte is more than one") {
  const test::TempDir dir;
  for (const char* name : {"state.bin", "legacy.bin"}) {
    const std::string whole =
        test::read_file(std::filesystem::path("tests/engine/files/torch") / name);
    REQUIRE(whole.size() > 1000);
    for (size_t size = 0; size < whole.size(); size += size < 64 ? 1 : 7) {
      test::write_file(dir / "a.bin", whole.substr(0, size));
      CHECK_THROWS_AS(read_torch_file(dir / "a.bin"), Error);
    }
    for (size_t at = 0; at < whole.size(); ++at) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (at % 2 ? 0xff : 0x10));
      test::write_file(dir / "a.bin", changed);
      try {
        for (const auto& [key, tensor] : read_torch_file(dir / "a.bin"))
          CHECK(tensor.get().numel() <= 8);
      } catch (const Error& e) {
        CHECK(std::string(e.what()).find("a.bin") != std::string::npos);
      }
    }
  }
}

TEST_CASE("torch file: a pickle that asks for code is refused, and the code named") {
  const auto archive = [](const std::string& root) { return test::torch_archive(p::whole(root)); };
  const std::string command = p::tuple({p::text("touch hacked")});
  check_says(archive(p::global("os", "system") + command + "R"), "wants Python to use 'os.system'");
  check_says(archive(p::dict({{"w", p::global("posix", "system") + command + "R"}})),
             "'posix.system'");
  check_says(archive(p::global("builtins", "eval") + command + "R"), "'builtins.eval'");
  check_says(archive(p::global("torch", "load") + command + "R"), "'torch.load'");
  // Allowed names, called otherwise than torch does.
  check_says(archive(p::global("collections", "OrderedDict") + command + "R"),
             "an OrderedDict that is made with arguments");
  check_says(archive(p::text("os.system") + command + "R"), "a call of what is no function");
  check_says(archive(p::dict({{"w", p::global("torch", "FloatStorage") + command + "R"}})),
             "'w' is no tensor");
  // Other ways to name or call something: STACK_GLOBAL, INST, OBJ, NEWOBJ, EXT1, PERSID.
  for (const char* opcode : {"\x93", "i", "o", "\x81", "\x82", "P"})
    check_says(archive(p::text("os") + p::text("system") + opcode), "is not one that a file of");
  CHECK_FALSE(std::filesystem::exists("hacked"));
}

TEST_CASE("torch file: malformed pickles") {
  const auto pickle = [](const std::string& bytes) { return test::torch_archive(bytes); };
  check_says(pickle("\x80\x02"), "1 bytes are needed, 0 are left");
  check_says(pickle("\x80\x04N."), "protocol 4 is not supported");
  check_says(pickle(p::whole("")), "the stack is empty");
  check_says(pickle(p::whole("(N\x85")), "no state dict");
  check_says(pickle(p::whole("N(\x85")), "the stack is empty");
  check_says(pickle(p::whole("t")), "there is no mark");
  check_says(pickle(p::whole("h\x05")), "refers to value 5, which was not stored");
  check_says(pickle(p::whole("N(NNu")), "items are put into what is no dict");
  check_says(pickle(p::whole("}(Nu")), "items are put into what is no dict");
  check_says(pickle(p::whole("X\xff\xff\xff\xff")), "4294967295 bytes are needed");
  check_says(pickle(p::whole("cos")), "a name has no end");
  check_says(pickle(p::whole("}(NNu")), "a key of the state dict is no text");
  check_says(pickle(p::whole(p::dict({{"epoch", p::integer(3)}}))), "'epoch' is no tensor");
  check_says(pickle(p::whole(p::text("x"))), "holds no state dict");
  // A dict within itself, and a million values.
  check_says(pickle(p::whole("}q\x01(X\x01" + std::string(3, '\0') + "ah\x01u")),
             "'a' is no tensor");
  check_says(pickle(p::whole(std::string(1 << 21, 'N'))), "more than 1048576 values");
}

TEST_CASE("torch file: tensors that do not fit their storage") {
  const test::TempDir dir;
  test::write_file(dir / "good.bin", with_tensor({}));
  CHECK(read_torch_file(dir / "good.bin").at("w").shape == Shape{2, 2});
  check_says(with_tensor({}, 12), "should hold 4 elements of f32, but has 12 bytes");
  check_says(with_tensor({.elements = 8}), "should hold 8 elements of f32, but has 16 bytes");
  check_says(with_tensor({.storage = "7"}), "its storage 'archive/data/7' is missing");
  check_says(with_tensor({.type = "DoubleStorage"}), "should hold 4 elements of f64");
  const char* beyond = "'w' reaches beyond the 4 elements of its storage";
  check_says(with_tensor({.offset = 1}), beyond);
  check_says(with_tensor({.sizes = {3, 2}}), beyond);
  check_says(with_tensor({.strides = {3, 1}}), beyond);
  check_says(with_tensor({.offset = INT64_MAX}), beyond);
  check_says(with_tensor({.sizes = {INT64_MAX, 4}}), beyond);
  check_says(with_tensor({.sizes = {3, 3}, .strides = {INT64_MAX, INT64_MAX}}), beyond);
  check_says(with_tensor({.sizes = {1 << 20, 1 << 20}, .strides = {0, 0}}), beyond);
  check_says(with_tensor({.offset = 5, .sizes = {0}, .strides = {1}}), beyond);
  check_says(with_tensor({.offset = -1}), "no count");
  check_says(with_tensor({.sizes = {-1, 2}}), "no count");
  check_says(with_tensor({.strides = {1}}), "has 2 sizes but 1 strides");
  check_says(with_tensor({.sizes = {1, 1, 1, 1, 1}, .strides = {1, 1, 1, 1, 1}}),
             "5 dimensions, at most 4");
}

TEST_CASE("torch file: archives that are none of torch's") {
  const std::string root = p::whole(p::dict({}));
  check_says(test::zip_of({{"readme", "x"}}), "without data.pkl");
  check_says(test::zip_of({{"a/data.pkl", root}, {"a/byteorder", "big"}}), "big-endian");
  check_says(test::zip_of({{"a/data.pkl", root}, {"a/data.pkl", root}}),
             "two entries are called 'a/data.pkl'");
  check_says("PK" + std::string(100, 'x'), "no directory at its end");
  check_says("{\"a\": 1}", "no file of torch.save");
  std::string compressed = test::zip_of({{"a/data.pkl", root}});
  compressed[compressed.rfind("PK\x01\x02") + 10] = 8;
  check_says(compressed, "entry 'a/data.pkl' is compressed (method 8)");
  std::string elsewhere = test::zip_of({{"a/data.pkl", root}});
  elsewhere[elsewhere.rfind("PK\x01\x02") + 42] = 3;
  check_says(elsewhere, "has no header at byte 3");
}

}  // namespace
}  // namespace lk
