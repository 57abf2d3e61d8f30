// The emulator's graphs: what is asked of a captured stream is done at each launch and not before;
// an update needs the same shape; what a capture forbids makes it invalid.
#include <doctest/doctest.h>

#include "cuda/emulator/emulator.h"
#include "engine/kernels/accumulate.h"
#include "tests/cuda/device.h"

namespace lk::test {
namespace {

class Stream {
 public:
  explicit Stream(unsigned flags = 0) {
    check_cuda(cudaStreamCreateWithFlags(&stream_, flags), "a stream");
  }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

template <class F>
cudaGraph_t capture(cudaStream_t stream, F work) {
  check_cuda(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), "capture");
  work();
  cudaGraph_t graph = nullptr;
  check_cuda(cudaStreamEndCapture(stream, &graph), "capture");
  return graph;
}

size_t nodes_of(cudaGraph_t graph) {
  size_t count = 0;
  check_cuda(cudaGraphGetNodes(graph, nullptr, &count), "nodes");
  return count;
}

using Values = std::vector<float>;

TEST_CASE("emulator: a graph does at each launch what was captured, and nothing before") {
  const emu::Checker checker;
  const Stream stream, other;
  const DeviceArray<float> y(Values{1, 2, 3}), x(Values{10, 20, 30}), z(Values{7, 7, 7});
  cudaGraph_t graph = capture(stream, [&] {
    accumulate(Cuda{stream}, y.data(), x.data(), 3);
    check_cuda(cudaMemcpyAsync(z.data(), y.data(), y.bytes(), cudaMemcpyDefault, stream), "copy");
    check_cuda(cudaMemsetAsync(x.data(), 0, 4, stream), "set");
  });
  CHECK(nodes_of(graph) == 3);
  CHECK(y.get() == Values{1, 2, 3});
  cudaGraphExec_t launched = nullptr;
  REQUIRE(cudaGraphInstantiate(&launched, graph, 0) == cudaSuccess);
  REQUIRE(cudaGraphDestroy(graph) == cudaSuccess);
  CHECK(z.get() == Values{7, 7, 7});
  for (const cudaStream_t where : {cudaStream_t(stream), cudaStream_t(other)})
    REQUIRE(cudaGraphLaunch(launched, where) == cudaSuccess);
  CHECK(y.get() == Values{11, 42, 63});
  CHECK(z.get() == y.get());

  // Other operands in the same shape of work; a shape that is another changes nothing.
  const DeviceArray<float> w(Values{100, 100, 100});
  cudaGraphExecUpdateResultInfo info{};
  graph = capture(stream, [&] {
    accumulate(Cuda{stream}, y.data(), w.data(), 3);
    check_cuda(cudaMemcpyAsync(x.data(), y.data(), 8, cudaMemcpyDefault, stream), "copy");
    check_cuda(cudaMemsetAsync(z.data(), 0, 12, stream), "set");
  });
  REQUIRE(cudaGraphExecUpdate(launched, graph, &info) == cudaSuccess);
  CHECK(info.result == cudaGraphExecUpdateSuccess);
  cudaGraphDestroy(graph);
  graph = capture(stream, [&] { accumulate(Cuda{stream}, y.data(), w.data(), 3); });
  CHECK(cudaGraphExecUpdate(launched, graph, &info) == cudaErrorGraphExecUpdateFailure);
  CHECK(info.result == cudaGraphExecUpdateErrorTopologyChanged);
  cudaGraphDestroy(graph);
  graph = capture(stream, [&] {
    for (int i = 0; i < 3; ++i) accumulate(Cuda{stream}, y.data(), w.data(), 3);
  });
  CHECK(cudaGraphExecUpdate(launched, graph, &info) == cudaErrorGraphExecUpdateFailure);
  CHECK(info.result == cudaGraphExecUpdateErrorNodeTypeChanged);
  cudaGraphDestroy(graph);
  cudaGetLastError();
  REQUIRE(cudaGraphLaunch(launched, stream) == cudaSuccess);
  CHECK(y.get() == Values{111, 142, 163});
  CHECK(x.get() == Values{111, 142, 30});
  CHECK(z.get() == Values{0, 0, 0});
  CHECK(cudaGraphExecDestroy(launched) == cudaSuccess);
  CHECK(checker.text() == "");
}

TEST_CASE("emulator: a graph's copy reads pinned memory when it is launched") {
  const Stream stream;
  const DeviceArray<float> y(Values{1, 2, 3});
  float* pinned = nullptr;
  check_cuda(cudaMallocHost(&pinned, 12), "pinned memory");
  cudaGraph_t graph = capture(stream, [&] {
    check_cuda(cudaMemcpyAsync(y.data(), pinned, 12, cudaMemcpyDefault, stream), "copy");
  });
  cudaGraphExec_t launched = nullptr;
  check_cuda(cudaGraphInstantiate(&launched, graph, 0), "graph");
  std::fill_n(pinned, 3, 5.0f);
  const emu::Checker checker;
  check_cuda(cudaGraphLaunch(launched, stream), "launch");
  CHECK(y.get() == Values{5, 5, 5});
  check_cuda(cudaGraphLaunch(launched, stream), "launch");
  pinned[1] = 6;  // too early
  check_cuda(cudaStreamSynchronize(stream), "copies");
  REQUIRE(checker.reports().size() == 1);
  CHECK(checker.reports()[0].fault == emu::Fault::in_flight);
  cudaGraphDestroy(graph), cudaGraphExecDestroy(launched), cudaFreeHost(pinned);
}

// What calls(stream) returns within a capture, and what the capture then is.
template <class F>
void check_forbidden(cudaStreamCaptureMode mode, cudaError_t error, F calls) {
  const Stream stream;
  REQUIRE(cudaStreamBeginCapture(stream, mode) == cudaSuccess);
  CHECK(calls(stream) == error);
  cudaStreamCaptureStatus status{};
  CHECK(cudaStreamIsCapturing(stream, &status) == cudaSuccess);
  CHECK(status == (error == cudaSuccess ? cudaStreamCaptureStatusActive
                                        : cudaStreamCaptureStatusInvalidated));
  cudaGraph_t graph = nullptr;
  CHECK(cudaStreamEndCapture(stream, &graph) ==
        (error == cudaSuccess ? cudaSuccess : cudaErrorStreamCaptureInvalidated));
  CHECK((graph == nullptr) == (error != cudaSuccess));
  if (graph) cudaGraphDestroy(graph);
  cudaGetLastError();
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
}

TEST_CASE("emulator: what a capture forbids is refused, and the capture with it") {
  const auto global = cudaStreamCaptureModeGlobal, relaxed = cudaStreamCaptureModeRelaxed;
  const auto unsupported = cudaErrorStreamCaptureUnsupported;
  const DeviceArray<float> y(Values{1});
  check_forbidden(global, unsupported, [](cudaStream_t s) { return cudaStreamSynchronize(s); });
  check_forbidden(relaxed, unsupported, [](cudaStream_t) { return cudaDeviceSynchronize(); });
  check_forbidden(global, cudaErrorStreamCaptureImplicit,
                  [&](cudaStream_t) { return cudaMemsetAsync(y.data(), 0, 4, nullptr); });
  check_forbidden(global, cudaErrorStreamCaptureImplicit, [&](cudaStream_t) {
    float value = 0;
    return cudaMemcpy(&value, y.data(), 4, cudaMemcpyDefault);
  });
  for (const auto mode : {global, cudaStreamCaptureModeThreadLocal, relaxed})
    check_forbidden(mode, mode == relaxed ? cudaSuccess : unsupported, [](cudaStream_t) {
      void *device = nullptr, *pinned = nullptr;
      const cudaError_t error = cudaMalloc(&device, 4);
      if (error != cudaSuccess) return error;
      CHECK(cudaMallocHost(&pinned, 4) == cudaSuccess);
      CHECK(cudaFreeHost(pinned) == cudaSuccess);
      return cudaFree(device);
    });
  check_forbidden(relaxed, cudaErrorNotSupported, [](cudaStream_t s) {
    void* data = nullptr;
    return cudaMallocAsync(&data, 4, s);
  });
  check_forbidden(relaxed, cudaErrorStreamCaptureIsolation, [](cudaStream_t s) {
    cudaEvent_t event = nullptr;
    check_cuda(cudaEventCreate(&event), "an event");
    check_cuda(cudaEventRecord(event, Stream{cudaStreamNonBlocking}), "an event");
    const cudaError_t error = cudaStreamWaitEvent(s, event);
    cudaEventDestroy(event);
    return error;
  });
}

TEST_CASE("emulator: captured events, and captures that cannot be") {
  const Stream stream, apart(cudaStreamNonBlocking);
  cudaEvent_t event = nullptr;
  check_cuda(cudaEventCreate(&event), "an event");
  cudaGraph_t graph = capture(apart, [&] {
    CHECK(cudaStreamBeginCapture(apart, cudaStreamCaptureModeGlobal) == cudaErrorIllegalState);
    CHECK(cudaEventRecord(event, apart) == cudaSuccess);
    CHECK(cudaStreamWaitEvent(apart, event) == cudaSuccess);
    CHECK(cudaStreamWaitEvent(stream, event) == cudaErrorNotSupported);
    CHECK(cudaEventSynchronize(event) == cudaErrorCapturedEvent);
    // The default stream waits for no stream that was made non-blocking.
    cudaGetLastError();
    CHECK(cudaStreamSynchronize(nullptr) == cudaSuccess);
  });
  CHECK(nodes_of(graph) == 0);
  cudaGraphDestroy(graph);
  CHECK(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeRelaxed) ==
        cudaErrorStreamCaptureUnsupported);
  CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorIllegalState);
  CHECK(cudaGraphLaunch(nullptr, stream) == cudaErrorInvalidValue);
  CHECK(std::string(cudaGetErrorName(cudaErrorStreamCaptureInvalidated)) ==
        "cudaErrorStreamCaptureInvalidated");
  cudaEventDestroy(event);
  cudaGetLastError();
}

}  // namespace
}  // namespace lk::test
