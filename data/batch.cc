#include "data/batch.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "engine/error.h"
#include "engine/files/json.h"
#include "engine/rng.h"

namespace lk {
void example_too_long(const std::filesystem::path& file, int64_t line, int64_t length,
                      int64_t limit) {
  fail(
      "{}:{}: the example has {} tokens, more than the {} allowed; shorten it, pass --truncate, or "
      "raise --max-length, up to the model's context without an adapter's virtual tokens",
      file.string(), line, length, limit);
}

std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, const std::string& input,
                                   const EncodeOptions& options) {
  if (options.decoder_start_id >= 0) return tokenizer.encode(input, true);
  return tokenizer.encode(input + options.separator, true);
}

namespace {

Example encode_source_and_target(const Tokenizer& tokenizer, const TextData& data,
                                 const TextRecord& record, const EncodeOptions& options) {
  Example e;
  e.source_ids = encode_prompt(tokenizer, record.input, options);
  require(!e.source_ids.empty(), "{}:{}: the input has no tokens", data.file.string(), record.line);
  e.labels = tokenizer.encode(record.output, false);
  if (options.eos_id >= 0) e.labels.push_back(options.eos_id);
  require(!e.labels.empty(), "{}:{}: the output has no tokens", data.file.string(), record.line);
  const auto limit = static_cast<size_t>(std::max<int64_t>(options.max_length, 0));
  for (std::vector<int32_t>* part : {&e.source_ids, &e.labels}) {
    if (limit == 0 || part->size() <= limit) continue;
    if (!options.truncate)
      example_too_long(data.file, record.line, static_cast<int64_t>(part->size()),
                       options.max_length);
    // The special token at the end stays.
    part->erase(part->begin() + static_cast<std::ptrdiff_t>(limit) - 1, part->end() - 1);
  }
  e.ids = {options.decoder_start_id};
  e.ids.insert(e.ids.end(), e.labels.begin(), e.labels.end() - 1);
  return e;
}

}  // namespace

Example encode_pair_example(const Tokenizer& tokenizer, const TextData& data,
                            const TextRecord& record, const EncodeOptions& options) {
  if (options.decoder_start_id >= 0)
    return encode_source_and_target(tokenizer, data, record, options);
  Example e;
  e.ids = encode_prompt(tokenizer, record.input, options);
  const size_t prompt = e.ids.size();
  require(prompt > 0, "{}:{}: the input has no tokens", data.file.string(), record.line);
  const std::vector<TokenId> answer = tokenizer.encode(record.output, false);
  e.ids.insert(e.ids.end(), answer.begin(), answer.end());
  if (options.eos_id >= 0) e.ids.push_back(options.eos_id);
  require(e.ids.size() > prompt, "{}:{}: the output has no tokens", data.file.string(),
          record.line);
  // The last token predicts nothing and need not be read.
  const auto length = static_cast<int64_t>(e.ids.size()) - 1;
  if (options.max_length > 0 && length > options.max_length) {
    if (!options.truncate) example_too_long(data.file, record.line, length, options.max_length);
    require(static_cast<int64_t>(prompt) <= options.max_length,
            "{}:{}: cut to {} tokens, nothing of the output is left (the input has {})",
            data.file.string(), record.line, options.max_length, prompt);
    e.ids.resize(static_cast<size_t>(options.max_length) + 1);
  }
  for (size_t t = 0; t + 1 < e.ids.size(); ++t)
    e.labels.push_back(t + 1 >= prompt ? e.ids[t + 1] : -100);
  e.ids.pop_back();
  return e;
}

Example encode_class_example(const Tokenizer& tokenizer, const ClassData& data,
                             const ClassRecord& record, const std::vector<std::string>& labels,
                             const EncodeOptions& options) {
  Example e;
  e.class_label = label_index(labels, data, record);
  const auto second = data.pairs ? std::optional<std::string_view>(record.text_b)
                                 : std::optional<std::string_view>();
  Truncation whole_or_cut;
  whole_or_cut.max_length = INT32_MAX;
  if (options.truncate && options.max_length > 0) {
    const int special = tokenizer.special_tokens_added(data.pairs);
    require(options.max_length > special,
            "{}:{}: cut to {} tokens, nothing of the text is left beside {} special tokens",
            data.file.string(), record.line, options.max_length, special);
    whole_or_cut.max_length = options.max_length;
  }
  // The longer of two texts gives up its end first, as transformers' truncation=True does.
  Encoding encoding = tokenizer.encode_truncated(record.text_a, second, whole_or_cut);
  e.ids = std::move(encoding.ids);
  e.type_ids = std::move(encoding.type_ids);
  require(!e.ids.empty(), "{}:{}: the text has no tokens", data.file.string(), record.line);
  if (options.max_length > 0 && e.length() > options.max_length)
    example_too_long(data.file, record.line, e.length(), options.max_length);
  e.labels.assign(e.ids.size(), -100);
  return e;
}

std::vector<Example> encode_text(const Tokenizer& tokenizer, const std::filesystem::path& file,
                                 int64_t context, int32_t eos_id) {
  const std::string text = read_text(file);
  const std::string mark = "<|endoftext|>\n";
  std::vector<int32_t> stream;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(mark, at), text.size());
    if (end > at) {
      const auto ids = tokenizer.encode(std::string_view(text).substr(at, end - at), false);
      stream.insert(stream.end(), ids.begin(), ids.end());
      if (eos_id >= 0) stream.push_back(eos_id);
    }
    at = end + mark.size();
  }
  require(stream.size() >= 2, "{}: the text is empty", file.string());
  std::vector<Example> out;
  const auto total = static_cast<int64_t>(stream.size());
  for (int64_t begin = 0; begin + 1 < total; begin += context) {
    const int64_t end = std::min(begin + context, total - 1);
    Example e;
    e.ids.assign(stream.begin() + begin, stream.begin() + end);
    e.labels.assign(stream.begin() + begin + 1, stream.begin() + end + 1);
    out.push_back(std::move(e));
  }
  return out;
}

namespace {

int32_t longest(const std::vector<int32_t>& offsets) {
  int32_t most = 1;
  for (size_t i = 1; i < offsets.size(); ++i) most = std::max(most, offsets[i] - offsets[i - 1]);
  return most;
}

// `count` more tokens, in documents of at most `most`.
void pad_documents(std::vector<int32_t>& ids, std::vector<int32_t>& positions,
                   std::vector<int32_t>& offsets, int64_t count, int64_t most) {
  for (int64_t t = 0; t < count; ++t) {
    if (t > 0 && t % most == 0) offsets.push_back(static_cast<int32_t>(ids.size()));
    positions.push_back(static_cast<int32_t>(t % most));
    ids.push_back(0);
  }
  offsets.push_back(static_cast<int32_t>(ids.size()));
}

// Documents without labels, none longer than the batch's longest, which the model is known to take.
void pad(Batch& b, int64_t round_to) {
  const auto up = [round_to](size_t n) {
    return (static_cast<int64_t>(n) + round_to - 1) / round_to * round_to;
  };
  const int64_t count = up(b.ids.size()) - static_cast<int64_t>(b.ids.size());
  if (count == 0) return;
  const size_t records = b.offsets.size();
  pad_documents(b.ids, b.positions, b.offsets, count, longest(b.offsets));
  b.labels.resize(b.ids.size(), -100);
  b.type_ids.resize(b.ids.size(), 0);
  const size_t more = b.offsets.size() - records;
  b.class_labels.insert(b.class_labels.end(), more, -100);
  if (b.source_ids.empty()) return;
  // Documents are pairs: each of the padding's has a source, of a token at least.
  const size_t read = b.source_ids.size();
  const auto sources = static_cast<size_t>(up(read + more)) - read;
  for (size_t d = 0; d < more; ++d) {
    const size_t tokens = sources * (d + 1) / more - sources * d / more;
    pad_documents(b.source_ids, b.source_positions, b.source_offsets, static_cast<int64_t>(tokens),
                  static_cast<int64_t>(tokens));
  }
}

}  // namespace

Batch make_batch(std::span<const Example* const> examples, int64_t round_to) {
  Batch b;
  b.offsets.push_back(0);
  bool types = false;
  for (const Example* e : examples) {
    b.ids.insert(b.ids.end(), e->ids.begin(), e->ids.end());
    b.labels.insert(b.labels.end(), e->labels.begin(), e->labels.end());
    types = types || !e->type_ids.empty();
    b.type_ids.insert(b.type_ids.end(), e->type_ids.begin(), e->type_ids.end());
    b.type_ids.resize(b.ids.size(), 0);
    for (size_t t = 0; t < e->ids.size(); ++t) b.positions.push_back(static_cast<int32_t>(t));
    b.offsets.push_back(static_cast<int32_t>(b.ids.size()));
    if (!e->source_ids.empty()) {
      if (b.source_offsets.empty()) b.source_offsets.push_back(0);
      b.source_ids.insert(b.source_ids.end(), e->source_ids.begin(), e->source_ids.end());
      for (size_t t = 0; t < e->source_ids.size(); ++t)
        b.source_positions.push_back(static_cast<int32_t>(t));
      b.source_offsets.push_back(static_cast<int32_t>(b.source_ids.size()));
    }
    if (!e->slots.empty()) {
      const size_t end = e->source_ids.empty() ? b.ids.size() : b.source_ids.size();
      b.slots.resize(end - e->slots.size(), -1);
      b.slots.insert(b.slots.end(), e->slots.begin(), e->slots.end());
    }
    b.class_labels.push_back(e->class_label);
    b.labelled += e->class_label != -100;
  }
  for (const int32_t label : b.labels) b.labelled += label != -100;
  b.real_tokens = static_cast<int64_t>(b.ids.size() + b.source_ids.size());
  pad(b, round_to);
  if (!types) b.type_ids.clear();
  if (!b.slots.empty())
    b.slots.resize(b.source_ids.empty() ? b.ids.size() : b.source_ids.size(), -1);
  return b;
}

Batch make_choice_batch(std::span<const Example* const> examples) {
  std::vector<const Example*> all;
  std::vector<int32_t> records{0};
  for (const Example* e : examples) {
    all.push_back(e);
    for (const Example& wrong : e->wrong) all.push_back(&wrong);
    records.push_back(static_cast<int32_t>(all.size()));
  }
  Batch b = make_batch(all);
  b.records = std::move(records);
  b.labelled = static_cast<int64_t>(examples.size());
  return b;
}

std::vector<std::vector<int64_t>> epoch_batches(const std::vector<Example>& examples,
                                                int64_t batch_size, int64_t token_budget,
                                                bool group_by_length, uint64_t seed,
                                                int64_t epoch) {
  std::vector<int64_t> order(examples.size());
  std::iota(order.begin(), order.end(), 0);
  Random random(seed, 0x5348554646ull + static_cast<uint64_t>(epoch));
  random.shuffle(order);
  const auto length = [&](int64_t i) { return examples[static_cast<size_t>(i)].length(); };
  if (group_by_length) {
    int64_t total = 0;
    for (const Example& e : examples) total += e.length();
    const int64_t mean =
        std::max<int64_t>(1, total / std::max<int64_t>(1, static_cast<int64_t>(examples.size())));
    const int64_t pool =
        32 * std::max<int64_t>(1, token_budget > 0 ? token_budget / mean : batch_size);
    for (size_t at = 0; at < order.size(); at += static_cast<size_t>(pool)) {
      const auto end = order.begin() + static_cast<std::ptrdiff_t>(
                                           std::min(order.size(), at + static_cast<size_t>(pool)));
      std::stable_sort(order.begin() + static_cast<std::ptrdiff_t>(at), end,
                       [&](int64_t a, int64_t b) { return length(a) > length(b); });
    }
  }
  std::vector<std::vector<int64_t>> batches;
  int64_t tokens = 0;
  for (const int64_t i : order) {
    const bool full =
        batches.empty() ||
        (token_budget > 0 ? tokens + length(i) > token_budget
                          : static_cast<int64_t>(batches.back().size()) == batch_size);
    if (full) {
      batches.emplace_back();
      tokens = 0;
    }
    batches.back().push_back(i);
    tokens += length(i);
  }
  if (group_by_length) random.shuffle(batches);
  return batches;
}

std::string explain(const Example& example, const Tokenizer& tokenizer) {
  std::string out;
  for (const int32_t id : example.source_ids) out += "[" + tokenizer.token(id) + "]";
  if (!out.empty()) out += " => ";
  for (size_t t = 0; t < example.ids.size(); ++t) {
    out += "[" + tokenizer.token(example.ids[t]) + "]";
    if (example.labels[t] != -100) out += "->[" + tokenizer.token(example.labels[t]) + "] ";
  }
  return out;
}

}  // namespace lk
