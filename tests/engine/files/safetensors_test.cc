#include "engine/files/safetensors.h"
#include "engine/files/weight_files.h"

#include <doctest/doctest.h>

#include <cstring>

#include "tests/support.h"

namespace lk {
namespace {

std::string file_of(const std::string& header, const std::string& data) {
  const uint64_t n = header.size();
  return std::string(reinterpret_cast<const char*>(&n), 8) + header + data;
}

TEST_CASE("safetensors: what is written is what is read, and the same bytes each time") {
  const test::TempDir dir;
  std::vector<NamedTensor> tensors;
  for (const DType t : {DType::f64, DType::f32, DType::bf16, DType::f16})
    tensors.push_back({"t." + std::string(name_of(t)), Tensor::full({2, 3}, t, 1.5)});
  tensors.push_back({"empty", Tensor::zeros({0, 4}, DType::f32)});
  tensors.push_back({"ids", Tensor::from<int64_t>({1, -2})});
  save_safetensors(dir / "a", tensors, {{"k", "v"}});
  save_safetensors(dir / "b", tensors, {{"k", "v"}});
  CHECK(test::read_file(dir / "a") == test::read_file(dir / "b"));
  const auto file = SafetensorsFile::open(dir / "a");
  CHECK(file->metadata().at("k") == "v");
  CHECK(file->names().size() == tensors.size());
  for (const NamedTensor& t : tensors) {
    CHECK(file->shape(t.name) == t.tensor.shape());
    CHECK(file->get(t.name).to_vector<double>() == t.tensor.to_vector<double>());
  }
  CHECK(test::error_of([&] { file->get("no"); }).find("no tensor 'no'") != std::string::npos);
}

TEST_CASE("safetensors: headers that lie are refused, each with its own words") {
  const test::TempDir dir;
  const std::string ok = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const std::string eight(8, '\0');
  const struct {
    std::string bytes, words;
  } cases[] = {
      {"abc", "too few"},
      {file_of("{}", "").substr(0, 4), "too few"},
      {std::string("\xff\xff\xff\xff\xff\xff\xff\x7f{}"), "the header claims"},
      {std::string("\x00\x10\x00\x00\x00\x00\x00\x00{}", 10), "the header claims"},
      {file_of("{", ""), "not valid JSON"},
      {file_of("[]", ""), "expected an object"},
      {file_of(R"({"a":3})", ""), "'a' is number"},
      {file_of(R"({"a":{"dtype":"F32","shape":[2]}})", eight), "no 'data_offsets'"},
      {file_of(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", eight), "no 'shape'"},
      {file_of(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", eight), "no 'dtype'"},
      {file_of(R"({"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}})", eight),
       "dtype 'F8_E4M3'"},
      {file_of(R"({"a":{"dtype":7,"shape":[2],"data_offsets":[0,8]}})", eight),
       "expected a string"},
      {file_of(R"({"a":{"dtype":"F32","shape":"x","data_offsets":[0,8]}})", eight),
       "expected a list"},
      {file_of(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", eight),
       "expected whole numbers"},
      {file_of(R"({"a":{"dtype":"F32","shape":[1,1,1,1,2],"data_offsets":[0,8]}})", eight),
       "5 dimensions"},
      {file_of(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})",
               eight),
       "more elements"},
      {file_of(R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,8]}})",
               eight),
       "more elements"},
      {file_of(R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]}})",
               eight),
       "dimension of"},
      {file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,16]}})", eight),
       "lies at bytes 0..16"},
      {file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", eight),
       "lies at bytes 8..0"},
      {file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", eight),
       "needs 4 bytes"},
      {file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}})", eight), "3 numbers"},
      {file_of("{\"a\":" + ok + ",\"b\":" + ok + "}", eight), "overlaps"},
      {file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", eight),
       "belong to none"},
      {file_of("{\"a\":" + ok + "}", eight + "x"), "after the last tensor"},
      {file_of("{\"a\":" + ok + ",\"a\":" + ok + "}", eight), "stands twice"},
      {file_of(R"({"__metadata__":{"k":1}})", ""), "metadata 'k'"},
      {file_of(std::string(200, '[') + std::string(200, ']'), ""), "nested more than"},
  };
  for (const auto& [bytes, expected] : cases) {
    const std::string words = expected;
    test::write_file(dir / "x.safetensors", bytes);
    const std::string message =
        test::error_of([&] { SafetensorsFile::open(dir / "x.safetensors"); });
    CAPTURE(message);
    CAPTURE(words);
    CHECK(message.find("x.safetensors") != std::string::npos);
    CHECK(message.find(words) != std::string::npos);
  }
}

TEST_CASE("safetensors: a file cut at any byte is an error, never a crash") {
  const test::TempDir dir;
  save_safetensors(dir / "whole",
                   std::vector<NamedTensor>{{"a", Tensor::full({3}, DType::f32, 1)},
                                            {"b", Tensor::full({2}, DType::bf16, 2)}});
  const std::string bytes = test::read_file(dir / "whole");
  for (size_t n = 0; n < bytes.size(); ++n) {
    test::write_file(dir / "cut", bytes.substr(0, n));
    CHECK_THROWS_AS(SafetensorsFile::open(dir / "cut"), Error);
  }
}

TEST_CASE("weight files: shards and their index") {
  const test::TempDir dir;
  save_safetensors(dir / "m-1.safetensors",
                   std::vector<NamedTensor>{{"a", Tensor::full({1}, DType::f32, 1)}});
  save_safetensors(dir / "m-2.safetensors",
                   std::vector<NamedTensor>{{"b", Tensor::full({1}, DType::f32, 2)}});
  const auto index = [&](const std::string& text) {
    test::write_file(dir / "model.safetensors.index.json", text);
  };
  CHECK(test::error_of([&] { WeightFiles::open(dir.path()); }).find("neither") !=
        std::string::npos);
  index(R"({"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}})");
  CHECK(WeightFiles::open(dir.path()).get("b").item() == 2);
  index(R"({"weight_map":{"a":"m-1.safetensors","b":"m-1.safetensors"}})");
  CHECK(test::error_of([&] { WeightFiles::open(dir.path()); }).find("does not hold it") !=
        std::string::npos);
  index(R"({"weight_map":{"a":"../m-1.safetensors"}})");
  CHECK(test::error_of([&] { WeightFiles::open(dir.path()); }).find("in the same folder") !=
        std::string::npos);
  index(R"({"weight_map":{"a":"gone.safetensors"}})");
  CHECK(test::error_of([&] { WeightFiles::open(dir.path()); }).find("gone.safetensors") !=
        std::string::npos);
  index("{}");
  CHECK(test::error_of([&] { WeightFiles::open(dir.path()); }).find("weight_map") !=
        std::string::npos);
}

}  // namespace
}  // namespace lk
