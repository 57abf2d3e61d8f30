#include "autograd/var.h"

#include <queue>
#include <unordered_set>

#include "autograd/saved.h"
#include "engine/device.h"
#include "engine/kernels/accumulate.h"
#include "engine/rng.h"

namespace lk {
namespace {

thread_local bool g_enabled = true;
thread_local bool g_probing = false;       // inside the first run of checkpoint()
thread_local bool g_would_record = false;  // an op of that run had an input that needs a gradient
thread_local uint64_t g_order = 0;

// Adds `g` to the gradient of a node. A gradient that nobody else holds is added to in place.
void collect(Node& node, Tensor g) {
  invariant(g.shape() == node.shape && g.dtype() == node.dtype,
            "gradient {} {} for a value {} {} (made by {})", name_of(g.dtype()), g.shape(),
            name_of(node.dtype), node.shape, node.op);
  if (!node.grad.defined()) {
    node.grad = std::move(g);
    return;
  }
  if (!node.grad.unique()) node.grad = node.grad.clone();
  on_float("accumulate", node.grad, [&](auto isa, auto type) {
    using T = decltype(type);
    accumulate(isa, node.grad.data<T>(), g.data<T>(), g.numel());
  });
}

}  // namespace

Var Var::leaf(Tensor value) {
  Var v(std::move(value));
  v.node_ = std::make_shared<Node>();
  v.node_->shape = v.value_.shape();
  v.node_->dtype = v.value_.dtype();
  return v;
}

const Tensor& Var::grad() const {
  static const Tensor none;
  return node_ ? node_->grad : none;
}

void Var::set_grad(Tensor grad) const {
  invariant(node_ != nullptr, "a constant has no gradient to set");
  node_->grad = std::move(grad);
}

bool will_record(const std::vector<Var>& inputs) {
  bool needed = false;
  for (const Var& x : inputs) needed = needed || x.needs_grad();
  if (needed && g_probing) g_would_record = true;
  return needed && g_enabled;
}

Var record(const char* op, Tensor y, const std::vector<Var>& inputs, Backward backward) {
  Var out(std::move(y));
  if (!will_record(inputs)) return out;
  out.node_ = std::make_shared<Node>();
  out.node_->op = op;
  out.node_->order = ++g_order;
  for (const Var& x : inputs) out.node_->inputs.push_back(x.node());
  out.node_->backward = std::move(backward);
  out.node_->shape = out.shape();
  out.node_->dtype = out.dtype();
  return out;
}

void backward(const Var& y, Tensor dy) {
  require(y.needs_grad(), "backward: nothing that this value depends on is trainable");
  if (!dy.defined()) {
    require(y.value().numel() == 1, "backward needs a gradient for a value of shape {}", y.shape());
    dy = Tensor::full(y.shape(), y.dtype(), 1.0).to(y.value().device());
  }
  // The scope ends with the pass: leaf gradients outlive it and are counted as such.
  const CategoryScope gradients(Category::gradients);
  collect(*y.node(), std::move(dy));
  const auto earlier = [](const std::shared_ptr<Node>& a, const std::shared_ptr<Node>& b) {
    return a->order < b->order;
  };
  std::priority_queue<std::shared_ptr<Node>, std::vector<std::shared_ptr<Node>>, decltype(earlier)>
      ready(earlier);
  std::unordered_set<const Node*> queued;
  const auto push = [&](const std::shared_ptr<Node>& node) {
    if (node->backward && queued.insert(node.get()).second) ready.push(node);
  };
  push(y.node());
  while (!ready.empty()) {
    // Every user of a value was made after it, so the latest node left has its gradient complete.
    const std::shared_ptr<Node> node = ready.top();
    ready.pop();
    const Tensor g = std::move(node->grad);
    node->grad = Tensor();
    const Backward run = std::move(node->backward);
    node->backward = nullptr;
    const auto inputs = std::move(node->inputs);
    node->inputs.clear();
    Need need;
    for (const auto& in : inputs) need.push_back(in != nullptr);
    std::vector<Tensor> grads = run(g, need);
    invariant(grads.size() == inputs.size(), "{} returned {} gradients for {} inputs", node->op,
              grads.size(), inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i]) continue;
      invariant(grads[i].defined(), "{} returned no gradient for input {}", node->op, i);
      collect(*inputs[i], std::move(grads[i]));
      push(inputs[i]);
    }
  }
}

NoGrad::NoGrad() : previous_(g_enabled) { g_enabled = false; }
NoGrad::~NoGrad() { g_enabled = previous_; }
bool grad_enabled() { return g_enabled; }

Var checkpoint(const std::function<Var(const Var&)>& f, const Var& x) {
  if (!g_enabled) return f(x);
  const DropoutState before = dropout_state();
  const bool outer_probing = g_probing, outer_would = g_would_record;
  g_probing = true;
  g_would_record = false;
  Tensor y;
  {
    const NoGrad no_grad;
    y = f(x).value();
  }
  const bool inside = g_would_record;
  g_probing = outer_probing;
  g_would_record = outer_would || inside;
  if (!inside) return Var(y);
  // Where only parameters inside need gradients, x is a constant: a leaf stands in so that the tape
  // reaches the block.
  const Var input = x.needs_grad() ? x : Var::leaf(x.value());
  const bool wanted = x.needs_grad();
  return record(
      "checkpoint", y, {input},
      [f, saved = Saved(x), wanted, before](const Tensor& dy, const Need&) {
        const Tensor value = saved.get();
        const DropoutState now = dropout_state();
        dropout_state() = before;
        const Var again = wanted ? Var::leaf(value) : Var(value);
        {
          const CategoryScope activations(Category::activations);
          const Var out = f(again);
          dropout_state() = now;
          backward(out, dy);
        }
        return std::vector<Tensor>{
            wanted ? again.grad() : Tensor::zeros(value.shape(), value.dtype(), value.device())};
      });
}

}  // namespace lk
