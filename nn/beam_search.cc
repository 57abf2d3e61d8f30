#include "nn/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/decoding.h"

namespace lk {
namespace {

struct Candidate {
  int64_t document = 0;  // the beam it continues
  int32_t id = 0;
  double score = 0;  // log-probability of all that is written
};

struct Finished {
  std::vector<int32_t> ids;
  double score = 0;  // divided by its length
};

// One prompt's search. Its beams are the documents first, first + 1, ...
struct Search {
  size_t prompt = 0;
  std::vector<double> scores{0.0};
  std::vector<Finished> finished;  // best first, at most as many as beams
  bool open = true;
};

bool better(const Candidate& a, const Candidate& b) {
  if (a.score != b.score) return a.score > b.score;
  return a.document != b.document ? a.document < b.document : a.id < b.id;
}

// The `count` likeliest continuations of a search's beams, best first.
std::vector<Candidate> continuations(const Search& search, const Tensor& logits, int64_t first,
                                     size_t count, const Decoding& texts,
                                     const GenerateOptions& o) {
  std::vector<Candidate> all;
  for (size_t beam = 0; beam < search.scores.size(); ++beam) {
    const int64_t document = first + static_cast<int64_t>(beam);
    std::vector<double> p = log_softmax(logits.rows(document, document + 1).to_vector<float>());
    penalise_repetition<double>(p, texts.text(document), o.repetition_penalty);
    for (size_t id = 0; id < p.size(); ++id)
      all.push_back({document, static_cast<int32_t>(id), search.scores[beam] + p[id]});
  }
  count = std::min(count, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), all.end(),
                    better);
  all.resize(count);
  return all;
}

}  // namespace

std::vector<std::vector<int32_t>> beam_search(Model& model,
                                              const std::vector<std::vector<int32_t>>& prompts,
                                              const GenerateOptions& o) {
  const std::vector<int32_t>& eos = o.eos_ids.empty() ? model.info().eos_ids : o.eos_ids;
  const auto beams = static_cast<size_t>(o.num_beams);
  // Enough that `beams` are left when an eos follows each of them.
  const size_t kept = std::max<size_t>(2, 1 + eos.size()) * beams;
  Decoding texts(model, prompts, o.max_new_tokens);
  texts.before_pass = o.before_pass;
  std::vector<Search> searches(prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i) searches[i].prompt = i;
  std::vector<std::vector<int32_t>> out(prompts.size());

  for (int64_t n = 1; !searches.empty(); ++n) {
    const Tensor logits = texts.step();
    const double length = std::pow(static_cast<double>(n), o.length_penalty);
    std::vector<int64_t> parents;
    std::vector<int32_t> next;
    int64_t first = 0;
    for (Search& search : searches) {
      const auto candidates = continuations(search, logits, first, kept, texts, o);
      const bool last = n >= o.max_new_tokens || texts.full(first);
      first += static_cast<int64_t>(search.scores.size());
      search.scores.clear();
      std::vector<Candidate> running;
      for (size_t c = 0; c < candidates.size(); ++c) {
        const Candidate& candidate = candidates[c];
        const bool ended = std::find(eos.begin(), eos.end(), candidate.id) != eos.end();
        if (!ended && !last) {
          if (running.size() < beams) running.push_back(candidate);
          continue;
        }
        if (c >= beams) continue;  // a finish counts among the likeliest alone
        Finished f{texts.written(candidate.document), candidate.score / length};
        if (!ended) f.ids.push_back(candidate.id);
        const auto place =
            std::find_if(search.finished.begin(), search.finished.end(),
                         [&](const Finished& other) { return other.score < f.score; });
        search.finished.insert(place, std::move(f));
        if (search.finished.size() > beams) search.finished.pop_back();
      }
      // No unfinished text can get better than the worst finished one, were it to end now.
      search.open = !running.empty() && (search.finished.size() < beams ||
                                         running[0].score / length > search.finished.back().score);
      if (!search.open) {
        out[search.prompt] =
            search.finished.empty() ? std::vector<int32_t>() : std::move(search.finished[0].ids);
        continue;
      }
      for (const Candidate& candidate : running) {
        search.scores.push_back(candidate.score);
        parents.push_back(candidate.document);
        next.push_back(candidate.id);
      }
    }
    std::erase_if(searches, [](const Search& search) { return !search.open; });
    texts.select(parents);
    for (size_t d = 0; d < next.size(); ++d) texts.append(static_cast<int64_t>(d), next[d]);
  }
  return out;
}

}  // namespace lk
