#include "tools/train/in_context.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <span>

#include "data/metrics.h"
#include "data/prompt_template.h"
#include "data/subset.h"
#include "engine/rng.h"
#include "nn/embed_texts.h"
#include "nn/generate.h"
#include "nn/logprob.h"

namespace lk {
namespace {

// A data set as slots of the template.
struct Items {
  std::vector<Fields> fields;
  References references;  // of texts
};

const std::string& words_for(const std::string& label, const InContextOptions& o) {
  const auto words = o.verbalizer.find(label);
  return words == o.verbalizer.end() ? label : words->second;
}

Items read_items(const std::filesystem::path& file, const InContextOptions& o) {
  Items items;
  if (data_kind(file) == DataKind::class_tsv) {
    for (const ClassRecord& r : read_class_tsv(file).records) {
      items.fields.push_back({{"text", r.text_a},
                              {"text_a", r.text_a},
                              {"text_b", r.text_b},
                              {"label", words_for(r.label, o)}});
      items.references.push_back({r.label});
    }
  } else if (data_kind(file) == DataKind::text_jsonl) {
    for (const TextRecord& r : read_text_jsonl(file).records) {
      items.fields.push_back({{"input", r.input}, {"output", r.output}});
      items.references.push_back(r.references);
    }
  } else {
    fail("{}: plain text has no answers to be shown; expected .tsv or .jsonl", file.string());
  }
  return items;
}

// Those that prompts may show.
Items shown_of(const Items& pool, const InContextOptions& o) {
  Items out;
  for (const size_t i : subset(pool.fields.size(), o.pool_limit, o.seed, o.pool.string())) {
    out.fields.push_back(pool.fields[i]);
    out.references.push_back(pool.references[i]);
  }
  return out;
}

// Finds the examples of a prompt: indices into the pool, the nearest last.
class Selector {
 public:
  Selector(OpenModel& open, const PromptTemplate& text, const Items& pool,
           const InContextOptions& o)
      : open_(open), text_(text), options_(o), count_(pool.fields.size()) {
    require(o.shots <= static_cast<int64_t>(count_), "--shots {}: {} has only {} examples{}",
            o.shots, o.pool.string(), count_, o.pool_limit > 0 ? " in its limit" : "");
    require(o.selection == "random" || o.selection == "nearest",
            "the selection '{}' is not known (known: random, nearest)", o.selection);
    if (o.selection != "nearest" || o.shots == 0) return;
    std::vector<std::vector<int32_t>> texts;
    for (const Fields& f : pool.fields) texts.push_back(tokens_of(f));
    embeddings_ = embed_texts(*open.model, texts);
  }

  std::vector<size_t> choose(const Fields& query, size_t number) const {
    const auto shots = static_cast<size_t>(options_.shots);
    std::vector<size_t> order(count_);
    std::iota(order.begin(), order.end(), 0);
    if (embeddings_.empty()) {
      Random random(options_.seed, number + 1);
      for (size_t i = 0; i < shots; ++i)
        std::swap(order[i], order[i + random.below(static_cast<uint32_t>(count_ - i))]);
      order.resize(shots);
      return order;
    }
    const std::vector<std::vector<int32_t>> text{tokens_of(query)};
    const std::vector<float> e = embed_texts(*open_.model, text)[0];
    std::vector<double> likeness;
    for (const std::vector<float>& other : embeddings_)
      likeness.push_back(std::inner_product(e.begin(), e.end(), other.begin(), 0.0));
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return likeness[a] > likeness[b]; });
    order.resize(shots);
    std::reverse(order.begin(), order.end());
    return order;
  }

 private:
  // What two tasks are compared by: the prompt without its answer.
  std::vector<int32_t> tokens_of(const Fields& fields) const {
    std::vector<int32_t> ids = open_.tokenizer.encode(text_.prompt(fields), true);
    const auto most = static_cast<size_t>(open_.model->max_length());
    if (ids.size() > most) ids.resize(most);
    return ids;
  }
  OpenModel& open_;
  const PromptTemplate& text_;
  const InContextOptions& options_;
  size_t count_;
  std::vector<std::vector<float>> embeddings_;  // of the pool, for "nearest"
};

// Writes prompts that leave `room` tokens of the context free.
class Prompter {
 public:
  Prompter(OpenModel& open, const PromptTemplate& text, const Items& pool, const Selector* selector)
      : open_(open), text_(text), pool_(pool), selector_(selector) {}

  // A prompt for each query, all behind the examples of the first.
  std::vector<std::vector<int32_t>> write(const std::vector<Fields>& queries, size_t number,
                                          int64_t room) {
    std::vector<size_t> shots;
    if (selector_) shots = selector_->choose(queries[0], number);
    const int64_t most = open_.model->max_length() - room;
    for (size_t first = 0;; ++first) {
      std::vector<std::vector<int32_t>> prompts;
      size_t longest = 0;
      for (const Fields& query : queries) {
        prompts.push_back(prompt(query, std::span(shots).subspan(first)));
        longest = std::max(longest, prompts.back().size());
      }
      if (static_cast<int64_t>(longest) <= most) return prompts;
      require(first < shots.size(),
              "record {}: the prompt has {} tokens without any example; with its answer that is "
              "above the {} that the model takes",
              number + 1, longest, open_.model->max_length());
      ++left_out_;
    }
  }
  int64_t left_out() const { return left_out_; }

 private:
  std::vector<int32_t> prompt(const Fields& query, std::span<const size_t> shots) const {
    std::string whole;
    for (const size_t s : shots) whole += text_.example(pool_.fields[s]);
    whole += text_.prompt(query);
    // A blank before the answer belongs to its first token.
    if (!whole.empty() && whole.back() == ' ') whole.pop_back();
    return open_.tokenizer.encode(whole, true);
  }
  OpenModel& open_;
  const PromptTemplate& text_;
  const Items& pool_;
  const Selector* selector_;
  int64_t left_out_ = 0;
};

// Log-probabilities of the choices, by sum and by mean.
struct ChoiceScores {
  std::vector<double> sum, mean;
};

ChoiceScores score_choices(OpenModel& open, const std::vector<int32_t>& prompt,
                           const std::vector<std::vector<int32_t>>& choices) {
  std::vector<Continuation> items;
  for (const auto& choice : choices) items.push_back({prompt, choice});
  ChoiceScores out;
  for (const LogProbability& p : log_probabilities(*open.model, items)) {
    out.sum.push_back(p.sum);
    out.mean.push_back(p.mean());
  }
  return out;
}

int32_t best(const std::vector<double>& scores, const std::vector<double>& baseline) {
  size_t at = 0;
  double most = -std::numeric_limits<double>::infinity();
  for (size_t c = 0; c < scores.size(); ++c) {
    const double s = scores[c] - (baseline.empty() ? 0.0 : baseline[c]);
    if (s > most) most = s, at = c;
  }
  return static_cast<int32_t>(at);
}

Scores choose_classes(OpenModel& open, const PromptTemplate& text, const Items& items, size_t count,
                      Prompter& prompter, const std::vector<std::string>& labels,
                      const InContextOptions& o) {
  const bool blank =
      !text.prompt(items.fields[0]).empty() && text.prompt(items.fields[0]).back() == ' ';
  std::vector<std::vector<int32_t>> choices;
  int64_t longest = 0;
  for (const std::string& label : labels) {
    choices.push_back(open.tokenizer.encode((blank ? " " : "") + words_for(label, o), false));
    longest = std::max(longest, static_cast<int64_t>(choices.back().size()));
  }
  Scores scores;
  std::vector<int32_t> by_mean, by_sum, expected;
  ChoiceScores nothing;  // when the text is N/A
  for (size_t i = 0; i < count; ++i) {
    const Fields& query = items.fields[i];
    std::vector<Fields> queries{query};
    // Without examples its prompt is the same each time.
    if (o.calibrate && (o.shots > 0 || i == 0)) {
      queries.push_back(query);
      for (const char* slot : {"text", "text_a", "text_b"}) queries[1][slot] = "N/A";
    }
    const auto prompts = prompter.write(queries, i, longest);
    const ChoiceScores given = score_choices(open, prompts[0], choices);
    if (prompts.size() > 1) nothing = score_choices(open, prompts[1], choices);
    by_mean.push_back(best(given.mean, nothing.mean));
    by_sum.push_back(best(given.sum, nothing.sum));
    const auto label = std::lower_bound(labels.begin(), labels.end(), items.references[i][0]);
    expected.push_back(static_cast<int32_t>(label - labels.begin()));
    scores.outputs.push_back(labels[static_cast<size_t>(by_mean.back())]);
  }
  scores.values = class_scores(by_mean, expected);
  scores.values.emplace_back("accuracy by sums", accuracy(by_sum, expected));
  return scores;
}

Scores generate_texts(OpenModel& open, const PromptTemplate& text, const Items& items, size_t count,
                      Prompter& prompter, const ScoreOptions& options) {
  Scores scores;
  GenerateOptions g;
  g.max_new_tokens = options.max_new_tokens;
  References references(items.references.begin(),
                        items.references.begin() + static_cast<std::ptrdiff_t>(count));
  for (size_t i = 0; i < count; ++i) {
    const std::vector<int32_t> prompt =
        prompter.write({items.fields[i]}, i, options.max_new_tokens)[0];
    std::string output = open.tokenizer.decode(generate(*open.model, {prompt}, g)[0]);
    if (!text.after().empty()) output = output.substr(0, output.find(text.after()));
    const size_t begin = output.find_first_not_of(" \n");
    scores.outputs.push_back(begin == std::string::npos ? "" : output.substr(begin));
  }
  scores.values = {{"BLEU", bleu(scores.outputs, references)},
                   {"ROUGE-L", rouge_l(scores.outputs, references)},
                   {"exact match", exact_match(scores.outputs, references)}};
  std::vector<std::string> asked;
  for (size_t i = 0; i < count; ++i) asked.push_back(items.fields[i].at("input"));
  add_slot_errors(scores, std::move(asked));
  return scores;
}

}  // namespace

Scores score_in_context(OpenModel& open, const std::filesystem::path& data,
                        const InContextOptions& o, const ScoreOptions& options, size_t* records) {
  require(open.model->info().causal && !open.model->info().encoder_decoder() && open.labels.empty(),
          "{}: in-context learning (--shots) needs a language model that continues text; without "
          "--shots the model is scored on the data as it is",
          open.model->info().architecture);
  const bool classes = data_kind(data) == DataKind::class_tsv;
  require(o.shots == 0 || !o.pool.empty(), "--shots {} needs --shots-from FILE", o.shots);
  require(o.pool_limit == 0 || !o.pool.empty(), "--shots-limit {} needs --shots-from FILE",
          o.pool_limit);
  require(classes || !o.calibrate, "--calibrate is for classes; {} holds texts", data.string());
  const Items items = read_items(data, o);
  if (records) *records = items.fields.size();
  Items pool;
  if (!o.pool.empty()) {
    require(data_kind(o.pool) == data_kind(data), "{} and {} are of different kinds",
            o.pool.string(), data.string());
    pool = read_items(o.pool, o);
  }
  std::string plain = "{input}\n{output}\n\n";
  if (classes) {
    const bool pairs = !items.fields[0].at("text_b").empty();
    plain = pairs ? "{text_a}\n{text_b}\nAnswer: {label}\n\n" : "{text}\nAnswer: {label}\n\n";
  }
  const PromptTemplate text(o.template_text.empty() ? plain : o.template_text,
                            classes ? "label" : "output");
  const Items shown = shown_of(pool, o);
  std::optional<Selector> selector;
  if (o.shots > 0) selector.emplace(open, text, shown, o);
  Prompter prompter(open, text, shown, selector ? &*selector : nullptr);
  const size_t count = options.count_of(items.fields.size());
  Scores scores;
  if (classes) {
    std::vector<std::string>
        labels;  // of both files: what is asked about must be among the choices
    for (const Items* from : {&items, static_cast<const Items*>(&pool)})
      for (const auto& reference : from->references) labels.push_back(reference[0]);
    std::sort(labels.begin(), labels.end());
    labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
    for (const auto& [label, words] : o.verbalizer)
      require(std::binary_search(labels.begin(), labels.end(), label),
              "the verbalizer names the label '{}', which does not occur in the data", label);
    scores = choose_classes(open, text, items, count, prompter, labels, o);
  } else {
    scores = generate_texts(open, text, items, count, prompter, options);
  }
  if (prompter.left_out() > 0)
    fmt::print(stderr, "{} examples did not fit into the context and were left out\n",
               prompter.left_out());
  return scores;
}

}  // namespace lk
