// 8-bit and paged optimizer states: the paged ones change no bit, 8 bits stay near 32, and pages
// lie in a file.
#include <cmath>
#include <fstream>
#include <map>

#include "engine/paged.h"
#include "nn/optim/optimizer.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

// Three tensors: paged, in 8 bits only, and small.
std::vector<ParamGroup> some_groups() {
  std::vector<ParamGroup> groups(1);
  groups[0].weight_decay = 0.01;
  uint64_t seed = 1;
  for (const Shape& shape : {Shape{400, 300}, Shape{100, 50}, Shape{30}})
    groups[0].params.emplace_back("p" + std::to_string(seed),
                                  Var::leaf(random_tensor(shape, DType::f32, seed))),
        ++seed;
  return groups;
}

void set_gradients(const std::vector<ParamGroup>& groups, uint64_t step) {
  for (const auto& [name, p] : groups[0].params)
    p.set_grad(random_tensor(p.shape(), DType::f32, 100 * step + name.back(), 0.1));
}

std::vector<Tensor> train(const std::string& name, const std::filesystem::path& page_file,
                          int steps) {
  OptimizerConfig config;
  config.name = name;
  config.page_file = page_file;
  const auto groups = some_groups();
  const auto optimizer = make_optimizer(config, groups);
  for (int s = 1; s <= steps; ++s) {
    set_gradients(groups, static_cast<uint64_t>(s));
    optimizer->step(1e-2);
  }
  std::vector<Tensor> out;
  for (const auto& [n, p] : groups[0].params) out.push_back(p.value());
  return out;
}

}  // namespace

TEST_CASE("optimizer: paged states give the bits of ordinary ones") {
  const TempDir folder;
  for (const std::string name : {"adamw", "adamw8bit"}) {
    CAPTURE(name);
    const auto a = train(name, {}, 6), b = train("paged-" + name, folder / "pages", 6);
    for (size_t i = 0; i < a.size(); ++i) CHECK(same_bits(a[i], b[i]));
  }
  CHECK(std::filesystem::is_empty(folder.path()));  // the file's name is gone at once
}

TEST_CASE("optimizer: 8-bit states stay near 32-bit ones") {
  const auto a = train("adamw", {}, 20), b = train("adamw8bit", {}, 20);
  CHECK(same_bits(a[2], b[2]));  // below 4096 elements: f32
  for (size_t i = 0; i < 2; ++i) {
    CHECK(!same_bits(a[i], b[i]));
    double total = 0;
    for (int64_t j = 0; j < a[i].numel(); ++j) total += std::abs(a[i].item(j) - b[i].item(j));
    // Twenty steps of up to 0.01; a code's relative error is a few per cent.
    CHECK(total / static_cast<double>(a[i].numel()) <= 0.004);
  }
}

TEST_CASE("optimizer: 8-bit states, saved and put back, go on bit for bit") {
  const TempDir folder;
  for (const std::string name : {"adamw8bit", "lion8bit", "paged-adamw", "paged-adamw8bit"}) {
    CAPTURE(name);
    OptimizerConfig config;
    config.name = name;
    config.page_file = folder / "a";
    const auto groups = some_groups();
    const auto first = make_optimizer(config, groups);
    for (uint64_t s = 1; s <= 3; ++s) {
      set_gradients(groups, s);
      first->step(1e-2);
    }
    const auto other = some_groups();
    for (size_t i = 0; i < 3; ++i)
      other[0].params[i].second.value().copy_from(groups[0].params[i].second.value());
    config.page_file = folder / "b";
    const auto second = make_optimizer(config, other);
    std::map<std::string, Tensor> states;
    first->visit_state([&](const std::string& n, Tensor& t) { states[n] = t; });
    second->visit_state([&](const std::string& n, Tensor& t) { t.copy_from(states.at(n)); });
    second->steps = first->steps;
    set_gradients(groups, 4);
    set_gradients(other, 4);
    first->step(1e-2);
    second->step(1e-2);
    for (size_t i = 0; i < 3; ++i)
      CHECK(same_bits(groups[0].params[i].second.value(), other[0].params[i].second.value()));
  }
}

TEST_CASE("optimizer: a gradient that is not finite leaves the element alone") {
  for (const std::string name : {"adamw8bit", "lion8bit"}) {
    OptimizerConfig config;
    config.name = name;
    const Var p = Var::leaf(random_tensor({5000}, DType::f32, 1));
    const Tensor before = p.value().clone(), g = Tensor::full({5000}, DType::f32, 1);
    g.data<float>()[7] = std::nanf("");
    g.data<float>()[300] = INFINITY;
    p.set_grad(g);
    make_optimizer(config, {{{{"p", p}}, 1.0, 0.0}})->step(0.1);
    CHECK(p.value().item(7) == before.item(7));
    CHECK(p.value().item(300) == before.item(300));
    CHECK(p.value().item(8) != before.item(8));
  }
}

// The process's own memory: no file's.
int64_t anonymous_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("RssAnon:", 0) == 0) return std::strtoll(line.c_str() + 8, nullptr, 10) << 10;
  fail("/proc/self/status has no RssAnon");
}

TEST_CASE("optimizer: paged states need no memory of the process's own" *
          doctest::skip(sanitized())) {
  const TempDir folder;
  const auto taken = [&](const std::string& name) {
    const Var p = Var::leaf(Tensor::zeros({9 << 20}, DType::f32));
    p.set_grad(Tensor::zeros({9 << 20}, DType::f32));
    release_cached_memory();
    const int64_t before = anonymous_bytes();
    OptimizerConfig config;
    config.name = name;
    config.page_file = folder / "pages";
    const auto optimizer = make_optimizer(config, {{{{"p", p}}, 1.0, 0.01}});
    optimizer->step(1e-3);
    optimizer->step(1e-3);
    return anonymous_bytes() - before;
  };
  // Two states of 36 MB.
  CHECK(taken("adamw") >= 70 << 20);
  CHECK(taken("paged-adamw") <= 12 << 20);
}

TEST_CASE("paged file: a full disk is an error before the run, a file left behind is replaced") {
  const TempDir folder;
  write_file(folder / "pages", "left by a run that was killed");
  const auto pages = PagedMemory::create(Device::cpu, folder / "pages", 1 << 16);
  const Tensor t = pages->take({1000}, DType::f32);
  for (int64_t i = 0; i < 1000; ++i) CHECK(t.item(i) == 0);
  t.data<float>()[999] = 5;
  PagedMemory::put_away(t);
  CHECK(t.item(999) == 5);
  CHECK(!std::filesystem::exists(folder / "pages"));
  CHECK(error_of([&] {
          PagedMemory::create(Device::cpu, folder / "pages", size_t{1} << 52);
        }).find("could not be reserved") != std::string::npos);
  CHECK(error_of([&] {
          PagedMemory::create(Device::cpu, folder / "no/such/folder", 100);
        }).find("cannot be created") != std::string::npos);
  OptimizerConfig config;
  config.name = "paged-adamw";
  CHECK(error_of([&] { make_optimizer(config, some_groups()); }).find("needs a file") !=
        std::string::npos);
}

}  // namespace lk::test
