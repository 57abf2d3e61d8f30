#include "engine/repeated.h"

#include "engine/device.h"

namespace lk {

Repeated::Repeated(Device device) : graph_(nullptr, nullptr) {
  if (device == Device::cpu) return;
  require_device(device);
  graph_ = {make_graph(Cuda{}), [](DeviceGraph* graph) { delete_graph(Cuda{}, graph); }};
}

Repeated::~Repeated() = default;

void Repeated::run(const std::function<void()>& work) {
  if (graph_) return run_graph(Cuda{}, *graph_, counts_, work);
  work();
  ++counts_.plain;
}

}  // namespace lk
