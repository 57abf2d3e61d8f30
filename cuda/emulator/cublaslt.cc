// cuBLASLt by plain loops. What lies outside of device memory is refused, as is a preference that a
// device would not meet: addresses less aligned than was said.
#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "cuda/emulator/graphs.h"
#include "cuda/emulator/include/cublasLt.h"
#include "cuda/emulator/memory.h"
#include "cuda/emulator/reports.h"

struct cublasLtContext {};
struct cublasLtMatmulDescOpaque_t {
  cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void *bias = nullptr, *aux = nullptr;
  int64_t aux_leading = 0;
  cudaDataType_t bias_type = CUDA_R_32F;
  bool has(int part) const { return (epilogue & part) == part; }
};
// The bits that epilogues are made of.
constexpr int kBias = CUBLASLT_EPILOGUE_BIAS, kGelu = CUBLASLT_EPILOGUE_GELU, kAux = 128;

struct cublasLtMatrixLayoutOpaque_t {
  cudaDataType_t type;
  size_t rows, cols, leading;
  size_t size() const { return type == CUDA_R_16BF ? 2 : 4; }
  size_t bytes() const { return cols ? ((cols - 1) * leading + rows) * size() : 0; }
};
struct cublasLtMatmulPreferenceOpaque_t {
  uint32_t alignment[4] = {256, 256, 256, 256};
};

namespace {

float read(const void* data, cudaDataType_t type, size_t i) {
  if (type == CUDA_R_32F) return static_cast<const float*>(data)[i];
  return std::bit_cast<float>(static_cast<uint32_t>(static_cast<const uint16_t*>(data)[i]) << 16);
}
void write(void* data, cudaDataType_t type, size_t i, float value) {
  if (type == CUDA_R_32F) {
    static_cast<float*>(data)[i] = value;
    return;
  }
  const auto u = std::bit_cast<uint32_t>(value);
  const bool nan = (u & 0x7fffffffu) > 0x7f800000u;
  static_cast<uint16_t*>(data)[i] =
      static_cast<uint16_t>(nan ? u >> 16 | 0x40u : (u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

// op(X) in f32, rows one after another.
std::vector<float> rows_of(const void* data, const cublasLtMatrixLayoutOpaque_t& x,
                           bool transpose) {
  std::vector<float> out(x.rows * x.cols);
  for (size_t j = 0; j < x.cols; ++j)
    for (size_t i = 0; i < x.rows; ++i)
      out[transpose ? j * x.rows + i : i * x.cols + j] = read(data, x.type, j * x.leading + i);
  return out;
}

bool aligned(const void* data, uint64_t to) { return reinterpret_cast<uintptr_t>(data) % to == 0; }

float gelu_tanh(float x) {
  return 0.5f * x * (1 + std::tanh(0.7978845608f * (x + 0.044715f * x * x * x)));
}

// d = scale * op(a) op(b) + keep * c, and the bias and the GELU that `product` may ask for.
struct Product {
  cublasLtMatmulDescOpaque_t product;
  cublasLtMatrixLayoutOpaque_t a_layout, b_layout, c_layout, d_layout;
  const void *a, *b, *c;
  void* d;
  float scale, keep;
};

void check_written(const char* operand, const void* data, const cublasLtMatrixLayoutOpaque_t& x) {
  const auto* const bytes = static_cast<const char*>(data);
  for (size_t j = 0; j < x.cols; ++j)
    if (!emu::all_written(bytes + j * x.leading * x.size(), x.rows * x.size()))
      return emu::report_host(emu::Fault::uninitialised,
                              std::string(operand) + " [" + std::to_string(x.rows) + ", " +
                                  std::to_string(x.cols) + "] of a product of cuBLASLt: column " +
                                  std::to_string(j) + " has bytes that nothing has written");
}

void multiply(const Product& p) {
  if (emu::checking()) {
    check_written("A", p.a, p.a_layout);
    check_written("B", p.b, p.b_layout);
    if (p.keep != 0) check_written("C", p.c, p.c_layout);
    if (p.product.has(kBias))
      check_written("the bias", p.product.bias,
                    {p.product.bias_type, p.d_layout.rows, 1, p.d_layout.rows});
  }
  const bool ta = p.product.a == CUBLAS_OP_T, tb = p.product.b == CUBLAS_OP_T;
  const std::vector<float> left = rows_of(p.a, p.a_layout, ta),
                           right = rows_of(p.b, p.b_layout, tb);
  const size_t m = p.d_layout.rows, n = p.d_layout.cols, k = left.size() / m;
  std::vector<float> sum(n);
  void* const aux = const_cast<void*>(p.product.aux);
  for (size_t i = 0; i < m; ++i) {
    sum.assign(n, 0.0f);
    for (size_t l = 0; l < k; ++l)
      for (size_t j = 0; j < n; ++j) sum[j] += left[i * k + l] * right[l * n + j];
    for (size_t j = 0; j < n; ++j) {
      float value = p.scale * sum[j];
      if (p.keep != 0) value += p.keep * read(p.c, p.c_layout.type, j * p.c_layout.leading + i);
      if (p.product.has(kBias)) value += read(p.product.bias, p.product.bias_type, i);
      if (p.product.has(kAux))
        write(aux, p.d_layout.type, j * static_cast<size_t>(p.product.aux_leading) + i, value);
      if (p.product.has(kGelu)) value = gelu_tanh(value);
      write(p.d, p.d_layout.type, j * p.d_layout.leading + i, value);
    }
  }
  const size_t size = p.d_layout.size();
  for (size_t j = 0; j < n; ++j) {
    emu::mark_written(static_cast<char*>(p.d) + j * p.d_layout.leading * size, m * size);
    if (p.product.has(kAux))
      emu::mark_written(
          static_cast<char*>(aux) + j * static_cast<size_t>(p.product.aux_leading) * size,
          m * size);
  }
}

}  // namespace

const char* cublasLtGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "success";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "an invalid value";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "the execution failed";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "not supported";
  }
  return "unknown";
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = new cublasLtContext;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* product, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  if (compute != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  *product = new cublasLtMatmulDescOpaque_t;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  const auto take = [&](auto& field) {
    if (bytes != sizeof(field)) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&field, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
  };
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return take(product->a);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return take(product->b);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return take(product->epilogue);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return take(product->bias);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return take(product->bias_type);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
      return take(product->aux);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
      return take(product->aux_leading);
  }
  return CUBLAS_STATUS_NOT_SUPPORTED;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType_t type,
                                          uint64_t rows, uint64_t cols, int64_t leading) {
  if (leading < static_cast<int64_t>(rows)) return CUBLAS_STATUS_INVALID_VALUE;
  *layout = new cublasLtMatrixLayoutOpaque_t{type, rows, cols, static_cast<size_t>(leading)};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new cublasLtMatmulPreferenceOpaque_t;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t bytes) {
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
    return bytes == sizeof(size_t) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
  if (bytes != sizeof(uint32_t)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&preference->alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value,
              bytes);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t product,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t* results,
                                              int* found) {
  const bool ta = product->a == CUBLAS_OP_T, tb = product->b == CUBLAS_OP_T;
  const size_t m = ta ? a->cols : a->rows, k = ta ? a->rows : a->cols, n = tb ? b->rows : b->cols;
  if (wanted < 1 || (tb ? b->cols : b->rows) != k || d->rows != m || d->cols != n || c->rows != m ||
      c->cols != n)
    return CUBLAS_STATUS_INVALID_VALUE;
  const bool types = a->type == b->type && c->type == d->type &&
                     (d->type == a->type || (a->type == CUDA_R_16BF && d->type == CUDA_R_32F)) &&
                     (!product->has(kBias) || product->bias_type == d->type);
  const bool aux = !product->has(kAux) ||
                   (product->aux_leading % 8 == 0 &&
                    product->aux_leading >= static_cast<int64_t>(m) && aligned(product->aux, 16));
  *found = types && aux ? 1 : 0;
  if (!*found) return CUBLAS_STATUS_NOT_SUPPORTED;
  results[0] = {};
  for (int i = 0; i < 4; ++i) results[0].algo.data[i] = preference->alignment[i];
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t product, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo,
                              void*, size_t, cudaStream_t stream) {
  const size_t of_bias = d_layout->rows * d_layout->size();
  const auto of_aux = static_cast<size_t>(product->aux_leading) * d_layout->cols * d_layout->size();
  if (!emu::is_device_memory(a, a_layout->bytes()) ||
      !emu::is_device_memory(b, b_layout->bytes()) ||
      !emu::is_device_memory(c, c_layout->bytes()) ||
      !emu::is_device_memory(d, d_layout->bytes()) ||
      (product->has(kBias) && !emu::is_device_memory(product->bias, of_bias)) ||
      (product->has(kAux) && !emu::is_device_memory(product->aux, of_aux)))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (!aligned(a, algo->data[0]) || !aligned(b, algo->data[1]) || !aligned(c, algo->data[2]) ||
      !aligned(d, algo->data[3]) || (product->has(kAux) && !aligned(product->aux, 16)))
    return CUBLAS_STATUS_EXECUTION_FAILED;
  const Product all{*product,
                    *a_layout,
                    *b_layout,
                    *c_layout,
                    *d_layout,
                    a,
                    b,
                    c,
                    d,
                    *static_cast<const float*>(alpha),
                    *static_cast<const float*>(beta)};
  const auto kept = emu::captured(stream, emu::NodeType::kernel, [=](cudaStream_t) {
    multiply(all);
    return cudaSuccess;
  });
  if (kept) return *kept == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
  multiply(all);
  return CUBLAS_STATUS_SUCCESS;
}
