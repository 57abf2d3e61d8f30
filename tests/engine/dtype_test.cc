#include "engine/dtype.h"

#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("dtypes: sizes and both spellings of the names") {
  const struct {
    DType dtype;
    int64_t size;
    const char *name, *in_files;
  } rows[] = {{DType::f64, 8, "f64", "F64"},    {DType::f32, 4, "f32", "F32"},
              {DType::bf16, 2, "bf16", "BF16"}, {DType::f16, 2, "f16", "F16"},
              {DType::i64, 8, "i64", "I64"},    {DType::i32, 4, "i32", "I32"},
              {DType::i8, 1, "i8", "I8"},       {DType::u8, 1, "u8", "U8"}};
  for (const auto& row : rows) {
    CHECK(size_of(row.dtype) == row.size);
    CHECK(name_of(row.dtype) == row.name);
    CHECK(safetensors_name(row.dtype) == row.in_files);
    CHECK(dtype_from_name(row.name) == row.dtype);
    CHECK(dtype_from_name(row.in_files) == row.dtype);
    CHECK(is_float(row.dtype) == (row.name[0] != 'i' && row.name[0] != 'u'));
  }
  CHECK(test::error_of([] { dtype_from_name("float32"); }).find("unknown dtype 'float32'") !=
        std::string::npos);
  CHECK(test::error_of([] { visit_float(DType::f16, [](auto) {}); }).find("not in f16") !=
        std::string::npos);
}

}  // namespace
}  // namespace lk
