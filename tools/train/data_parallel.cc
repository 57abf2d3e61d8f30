#include "tools/train/data_parallel.h"

#include <xxhash.h>

namespace lk {

DataParallel::DataParallel(Communicator* processes, Device device, int64_t batches_in_update)
    : host_(processes ? *processes : alone_) {
  require(host_.size() <= batches_in_update,
          "{} processes cannot share the {} of an update: give --gradient-accumulation-steps {} "
          "(an update is so many batches, however many processes compute them), or start fewer",
          host_.size(),
          batches_in_update == 1 ? "one batch" : fmt::format("{} batches", batches_in_update),
          host_.size());
  if (device == Device::cuda) device_ = device_communicator(Cuda{}, host_);
}

void DataParallel::check_same(const std::string& fingerprint) {
  std::vector<int64_t> hash{
      static_cast<int64_t>(XXH3_64bits(fingerprint.data(), fingerprint.size()))};
  const int64_t ours = hash[0];
  broadcast(hash);
  require(hash[0] == ours,
          "process {} of {} has other data, model or options than process 0: {}; give all of them "
          "the same",
          host_.rank(), host_.size(), fingerprint);
}

void DataParallel::broadcast(const std::vector<Tensor>& tensors) {
  if (host_.size() == 1) return;
  for (const Device device : {Device::cpu, Device::cuda}) {
    std::vector<Tensor> there;
    for (const Tensor& t : tensors)
      if (t.device() == device) there.push_back(t);
    if (!there.empty()) of(device).broadcast(there);
  }
}

void DataParallel::broadcast(std::vector<int64_t>& values) {
  const Tensor t = Tensor::from(values);
  broadcast({t});
  values.assign(t.span<int64_t>().begin(), t.span<int64_t>().end());
}

double DataParallel::sum(double value) {
  if (host_.size() == 1) return value;
  const Tensor t = Tensor::full({1}, DType::f64, value);
  host_.all_reduce({t});
  return t.item();
}

void DataParallel::sum_gradients(const std::vector<ParamGroup>& groups) {
  if (host_.size() == 1) return;
  std::vector<Var> parameters;
  std::vector<double> present;  // in how many processes it has a gradient
  for (const ParamGroup& group : groups)
    for (const auto& [name, p] : group.params) {
      parameters.push_back(p);
      present.push_back(p.grad().defined() ? 1 : 0);
    }
  const Tensor counts = Tensor::from(present);
  host_.all_reduce({counts});
  const CategoryScope category(Category::gradients);
  std::vector<Tensor> on_host, on_device;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (counts.data<double>()[i] == 0) continue;
    const Var& p = parameters[i];
    if (!p.grad().defined())
      p.set_grad(Tensor::zeros(p.shape(), p.dtype(), p.value().device()));
    else if (!p.grad().unique())
      p.set_grad(p.grad().clone());
    (p.grad().device() == Device::cpu ? on_host : on_device).push_back(p.grad());
  }
  if (!on_host.empty()) host_.all_reduce(on_host);
  if (!on_device.empty()) of(Device::cuda).all_reduce(on_device);
}

}  // namespace lk
