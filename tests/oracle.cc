#include "tests/oracle.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "engine/files/json.h"
#include "nn/generate.h"

namespace lk::test {

OracleBatch read_batch(const SafetensorsFile& vectors, const std::string& prefix) {
  const Tensor ids = vectors.get(prefix + "input_ids");
  const int64_t batch = ids.dim(0), length = ids.dim(1);
  const auto column = [&](const std::string& name) {
    return vectors.has(prefix + name) ? vectors.get(prefix + name).to_vector<int32_t>()
                                      : std::vector<int32_t>();
  };
  const auto id = column("input_ids"), mask = column("attention_mask"), label = column("labels"),
             type = column("token_type_ids");
  const bool per_token = static_cast<int64_t>(label.size()) == batch * length;
  OracleBatch out;
  if (!per_token) out.class_labels = label;
  out.packing.offsets.push_back(0);
  for (int64_t b = 0; b < batch; ++b) {
    if (per_token) out.packing.first_labels.push_back(label[static_cast<size_t>(b * length)]);
    for (int64_t t = 0; t < length; ++t) {
      const auto at = static_cast<size_t>(b * length + t);
      if (!mask.empty() && mask[at] == 0) continue;
      out.places.push_back(at);
      out.ids.push_back(id[at]);
      out.packing.positions.push_back(static_cast<int32_t>(t));
      if (!type.empty()) out.packing.type_ids.push_back(type[at]);
      const int32_t next = per_token && t + 1 < length ? label[at + 1] : -100;
      out.labels.push_back(next);
    }
    out.packing.offsets.push_back(static_cast<int32_t>(out.ids.size()));
  }
  return out;
}

namespace {

// Documents of [B, S] rows with the padding (mask 0) dropped.
struct Rows {
  int64_t batch, length;
  std::vector<int32_t> values, mask;
};

void pack_rows(const Rows& rows, const std::function<void(int64_t b, int64_t t, size_t at)>& keep,
               Packing& packing) {
  packing.offsets.push_back(0);
  for (int64_t b = 0; b < rows.batch; ++b) {
    int32_t kept = 0;
    for (int64_t t = 0; t < rows.length; ++t) {
      const auto at = static_cast<size_t>(b * rows.length + t);
      if (!rows.mask.empty() && rows.mask[at] == 0) continue;
      keep(b, t, at);
      packing.positions.push_back(static_cast<int32_t>(t));
      ++kept;
    }
    packing.offsets.push_back(packing.offsets.back() + kept);
  }
}

Rows rows_of(const SafetensorsFile& vectors, const std::string& name, const std::string& mask) {
  const Tensor t = vectors.get(name);
  return {t.dim(0), t.dim(1), t.to_vector<int32_t>(),
          vectors.has(mask) ? vectors.get(mask).to_vector<int32_t>() : std::vector<int32_t>()};
}

OracleBatch read_pairs(const SafetensorsFile& vectors, const std::string& prefix,
                       const ModelInfo& info) {
  OracleBatch out;
  const Rows source = rows_of(vectors, prefix + "input_ids", prefix + "attention_mask"),
             target = rows_of(vectors, prefix + "labels", "");
  pack_rows(
      source, [&](int64_t, int64_t, size_t at) { out.source_ids.push_back(source.values[at]); },
      out.source);
  pack_rows(
      target,
      [&](int64_t, int64_t t, size_t at) {
        const int32_t before = t == 0 ? info.decoder_start_id : target.values[at - 1];
        out.ids.push_back(before == -100 ? info.pad_id : before);
        out.labels.push_back(target.values[at]);
        out.places.push_back(at);
      },
      out.packing);
  return out;
}

}  // namespace

OracleBatch read_batch(const SafetensorsFile& vectors, const std::string& prefix,
                       const ModelInfo& info) {
  if (info.encoder_decoder()) return read_pairs(vectors, prefix, info);
  OracleBatch out = read_batch(vectors, prefix);
  if (info.task == Task::token_classification || info.task == Task::masked_lm) {
    const auto all = vectors.get(prefix + "labels").to_vector<int32_t>();
    for (size_t i = 0; i < out.places.size(); ++i) out.labels[i] = all[out.places[i]];
    out.packing.first_labels.clear();
  }
  return out;
}

Var mean_loss(Model& model, const OracleBatch& batch) {
  ModelInput in = batch.input();
  in.packing.labels = batch.labels;
  const Var h = model.hidden(in);
  if (!batch.class_labels.empty())
    return scale(cross_entropy(model.class_logits(h, in.packing), batch.class_labels),
                 1.0f / static_cast<float>(batch.class_labels.size()));
  const auto labelled = std::count_if(in.packing.labels.begin(), in.packing.labels.end(),
                                      [](int32_t label) { return label != -100; });
  const Var sum = model.info().task == Task::token_classification
                      ? cross_entropy(model.class_logits(h, in.packing), in.packing.labels)
                      : model.lm_loss(h, in.packing.labels);
  return scale(sum, 1.0f / static_cast<float>(labelled));
}

Tensor logits_of(Model& model, const OracleBatch& batch) {
  const NoGrad no_grad;
  ModelInput in = batch.input();
  const Var h = model.hidden(in);
  const Task task = model.info().task;
  const bool classes = task == Task::classification || task == Task::token_classification;
  return (classes ? model.class_logits(h, in.packing) : model.lm_logits(h)).value();
}

double logits_error(const Tensor& logits, const Tensor& expected, const OracleBatch& batch) {
  const int64_t width = logits.dim(1);
  if (expected.dim(-1) != width) return std::numeric_limits<double>::infinity();
  const bool per_token = batch.class_labels.empty();
  double most = 0;
  for (int64_t i = 0; i < logits.dim(0); ++i) {
    const auto row = per_token ? static_cast<int64_t>(batch.places[static_cast<size_t>(i)]) : i;
    for (int64_t j = 0; j < width; ++j) {
      const double d = std::abs(logits.item(i * width + j) - expected.item(row * width + j));
      if (!(d <= most)) most = std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
    }
  }
  return most;
}

double max_difference(const Tensor& a, const Tensor& b) {
  if (a.numel() != b.numel()) return std::numeric_limits<double>::infinity();
  double most = 0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    const double d = std::abs(a.item(i) - b.item(i));
    if (!(d <= most)) most = std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
  }
  return most;
}

double max_magnitude(const Tensor& a) {
  double most = 0;
  for (int64_t i = 0; i < a.numel(); ++i) most = std::max(most, std::abs(a.item(i)));
  return most;
}

namespace {

// The ids that generate returned against a row of [B, N] of the reference: the prompt (or the start
// token) of `start` ids included, eos and the padding behind it left out. 0 where they are the
// same, else 1.
double ids_error(const std::vector<int32_t>& ours, const std::vector<int32_t>& theirs, size_t start,
                 const ModelInfo& info) {
  std::vector<int32_t> expected;
  for (size_t i = 0; i < theirs.size(); ++i) {
    const bool ended =
        std::find(info.eos_ids.begin(), info.eos_ids.end(), theirs[i]) != info.eos_ids.end();
    if (ended && i >= start) break;
    expected.push_back(theirs[i]);
  }
  return ours == expected ? 0 : 1;
}

// The prompts of out.greedy and out.beam3: the first row without padding, all rows of an
// encoder-decoder's batch.
std::vector<std::vector<int32_t>> prompts_of(const OracleBatch& batch, const ModelInfo& info,
                                             size_t rows) {
  std::vector<std::vector<int32_t>> out;
  const std::vector<int32_t>& ids = info.encoder_decoder() ? batch.source_ids : batch.ids;
  const std::vector<int32_t>& offsets =
      info.encoder_decoder() ? batch.source.offsets : batch.packing.offsets;
  for (size_t b = 0; b < rows; ++b)
    out.emplace_back(ids.begin() + offsets[b], ids.begin() + offsets[b + 1]);
  return out;
}

// Of all rows of `expected`, whose new tokens begin at `start`.
double written_error(Model& model, const std::vector<std::vector<int32_t>>& prompts,
                     const GenerateOptions& options, const Tensor& expected, size_t start) {
  const ModelInfo& info = model.info();
  const auto written = generate(model, prompts, options);
  double error = 0;
  for (size_t b = 0; b < written.size(); ++b) {
    std::vector<int32_t> ours =
        info.encoder_decoder() ? std::vector<int32_t>{info.decoder_start_id} : prompts[b];
    ours.insert(ours.end(), written[b].begin(), written[b].end());
    const auto row = static_cast<int64_t>(b);
    error = std::max(
        error, ids_error(ours, expected.rows(row, row + 1).to_vector<int32_t>(), start, info));
  }
  return error;
}

}  // namespace

double generation_error(Model& model, const OracleBatch& batch, const Tensor& expected,
                        int64_t beams) {
  const ModelInfo& info = model.info();
  const auto prompts = prompts_of(batch, info, static_cast<size_t>(expected.dim(0)));
  const size_t start = info.encoder_decoder() ? 1 : prompts[0].size();
  // How many new tokens the reference allowed is not in the file. Where its text ends with eos that
  // may have been more than there are, and what beam search finds depends on it.
  const auto last = static_cast<int32_t>(expected.item(expected.numel() - 1));
  const bool ended =
      std::find(info.eos_ids.begin(), info.eos_ids.end(), last) != info.eos_ids.end();
  const int64_t most = beams > 1 && ended ? 16 : 0;
  GenerateOptions options;
  options.num_beams = beams;
  double error = 1;
  for (int64_t more = 0; error > 0 && more <= most; ++more) {
    options.max_new_tokens = expected.dim(1) - static_cast<int64_t>(start) + more;
    error = written_error(model, prompts, options, expected, start);
  }
  return error;
}

std::filesystem::path oracle_folder() {
  const char* given = std::getenv("ORACLE_DIR");
  return given && *given ? given : "../shared/oracle";
}

namespace {

void read_cases(const std::filesystem::path& root, const std::string& topic,
                std::vector<OracleCase>& out) {
  const nlohmann::json index = read_json(root / "index.json");
  for (const auto& entry : index.at("cases")) {
    if (entry.at("topic") != topic) continue;
    OracleCase c;
    c.topic = topic;
    c.name = entry.at("name").get<std::string>();
    c.root = root;
    if (entry.contains("dir")) c.folder = root / entry["dir"].get<std::string>();
    if (entry.contains("base")) c.base = root / entry["base"].get<std::string>();
    if (entry.contains("vectors")) c.vectors = root / entry["vectors"].get<std::string>();
    const nlohmann::json tolerance = entry.value("tolerance", nlohmann::json::object());
    if (tolerance.is_object()) {
      c.logits = tolerance.value("logits", 0.0);
      c.loss = tolerance.value("loss", 0.0);
      c.grad_rel = tolerance.value("grad_rel", 0.0);
    }
    c.json = std::make_shared<const nlohmann::json>(entry);
    out.push_back(std::move(c));
  }
}

}  // namespace

std::vector<OracleCase> oracle_cases(const std::string& topic) {
  std::vector<OracleCase> out;
  read_cases("tests/vectors", topic, out);
  const std::filesystem::path index = oracle_folder() / "index.json";
  if (std::filesystem::exists(index))
    read_cases(oracle_folder(), topic, out);
  else
    fmt::print("oracle {}: skipped, there is no {}\n", topic, index.string());
  return out;
}

int walk_oracle(const std::string& topic,
                const std::function<std::vector<Comparison>(const OracleCase&)>& check) {
  int failures = 0;
  std::filesystem::path root;
  for (const OracleCase& c : oracle_cases(topic)) {
    if (c.root != root) fmt::print("oracle {} in {}\n", topic, (root = c.root).string());
    std::string line;
    bool passed = true;
    try {
      const std::vector<Comparison> all = check(c);
      if (all.empty()) fail("nothing was compared");
      Comparison nearest = all.front();
      const auto used = [](const Comparison& x) {
        const double share = x.tolerance > 0 ? x.error / x.tolerance : x.error > 0 ? 1e300 : 0.0;
        return std::isnan(share) ? std::numeric_limits<double>::infinity() : share;
      };
      for (const Comparison& x : all) {
        passed = passed && x.passed();
        if (used(x) > used(nearest)) nearest = x;
      }
      line = fmt::format("{:.2e} of {:.0e} ({}, {} compared)", nearest.error, nearest.tolerance,
                         nearest.what, all.size());
    } catch (const std::exception& e) {
      passed = false;
      line = e.what();
    }
    failures += !passed;
    fmt::print("oracle {} {}: {}: {}\n", topic, c.name, line, passed ? "pass" : "FAIL");
  }
  return failures;
}

}  // namespace lk::test
