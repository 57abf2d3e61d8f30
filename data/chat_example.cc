#include "data/chat_example.h"

#include <algorithm>
#include <optional>

#include "data/jinja/text.h"
#include "engine/error.h"

namespace lk {
namespace {

std::string place(const ChatData& data, const ChatRecord& record) {
  return data.file.string() + ":" + std::to_string(record.line);
}

jinja::Value first_messages(const ChatRecord& record, size_t count) {
  const auto& items = record.messages.sequence()->items;
  return jinja::make_sequence({items.begin(), items.begin() + static_cast<std::ptrdiff_t>(count)});
}

// One behind the last message of the assistant.
size_t end_of_answers(const ChatRecord& record) {
  const auto& items = record.messages.sequence()->items;
  size_t end = items.size();
  while (end > 0 && role_of(items[end - 1]) != "assistant") --end;
  return end;
}

// Where answer `i` stands in the whole text; nothing when the template does not just append.
std::optional<std::pair<size_t, size_t>> find_answer(const ChatTemplate& chat,
                                                     const ChatRecord& record, size_t i,
                                                     const std::string& whole) {
  std::string before, with;
  try {
    before = chat.render(first_messages(record, i), true, record.tools).text;
    with = chat.render(first_messages(record, i + 1), false, record.tools).text;
  } catch (const Error&) {
    // A template may refuse a part of a conversation that it takes as a whole.
    return std::nullopt;
  }
  if (!whole.starts_with(with) || !with.starts_with(before) || with.size() == before.size())
    return std::nullopt;
  return std::pair{before.size(), with.size()};
}

// How many of `ids` are the text before byte `at`.
//
// The tokenizer gives no offsets. Encoding the pieces between the borders one by one would give
// other tokens than encoding the whole (SentencePiece puts a space before each text), so that a
// model would be trained on what it never meets. The whole is encoded once; a border stands behind
// the tokens that the text before it has in common with the whole. As a prompt for generation is
// such a text before a border, training and generation see the same tokens wherever no token
// crosses the border. One that does is counted to the answer, as transformers' char_to_token does.
size_t tokens_before(const Tokenizer& tokenizer, const std::string& text, size_t at,
                     const std::vector<int32_t>& ids) {
  const auto part = tokenizer.encode(std::string_view(text).substr(0, at), false);
  return static_cast<size_t>(
      std::mismatch(part.begin(), part.end(), ids.begin(), ids.end()).second - ids.begin());
}

// Behind the special token that ends the answer stands at most white space (a line end), which the
// template writes, not the model.
size_t without_tail(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, size_t begin,
                    size_t end) {
  size_t last = end;
  while (last > begin && !tokenizer.is_special(ids[last - 1])) --last;
  if (last == begin || last == end) return end;
  const std::string tail = tokenizer.decode(std::span(ids).subspan(last, end - last), false);
  return jinja::strip(tail, "", true, true).empty() ? last : end;
}

void refuse_double_bos(const Tokenizer& tokenizer, const ChatTemplate& chat,
                       const std::vector<int32_t>& ids, const std::string& where) {
  const auto bos = tokenizer.token_id(chat.special_token("bos_token"));
  require(!bos || ids.size() < 2 || ids[0] != *bos || ids[1] != *bos,
          "{}: the text begins with two {}; the chat template ({}) writes one already, so the "
          "messages must not",
          where, chat.special_token("bos_token"), chat.name());
}

}  // namespace

MarkedChat mark_answers(const ChatTemplate& chat, const ChatData& data, const ChatRecord& record) {
  const std::string where = place(data, record);
  const auto& items = record.messages.sequence()->items;
  const size_t end = end_of_answers(record);
  jinja::Rendered whole;
  try {
    whole = chat.render(first_messages(record, end), false, record.tools);
  } catch (const Error& e) {
    fail("{}: {}", where, e.what());
  }
  MarkedChat out{whole.text, {}, false};
  if (chat.has_generation()) {
    for (const auto& span : whole.generated)
      if (span.second > span.first) out.answers.push_back(span);
    require(!out.answers.empty(),
            "{}: the {{% generation %}} blocks of the chat template ({}) cover nothing of this "
            "conversation; those inside of a macro are not seen",
            where, chat.name());
    return out;
  }
  for (size_t i = 0; i < end && !out.last_only; ++i) {
    if (role_of(items[i]) != "assistant") continue;
    if (const auto span = find_answer(chat, record, i, out.text))
      out.answers.push_back(*span);
    else
      out.last_only = true;
  }
  if (!out.last_only) return out;
  const auto last = find_answer(chat, record, end - 1, out.text);
  require(
      last.has_value(),
      "{}: the chat template ({}) does not write the last answer behind the conversation before "
      "it, so that what is to be learnt cannot be told; mark answers in the template with {{% "
      "generation %}}",
      where, chat.name());
  out.answers = {*last};
  return out;
}

ChatExample encode_chat_example(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                const ChatData& data, const ChatRecord& record,
                                const EncodeOptions& options) {
  const std::string where = place(data, record);
  const MarkedChat marked = mark_answers(chat, data, record);
  ChatExample out;
  out.last_only = marked.last_only;
  std::vector<int32_t>& ids = out.example.ids;
  ids = tokenizer.encode(marked.text, false);
  refuse_double_bos(tokenizer, chat, ids, where);
  std::vector<bool> learnt(ids.size(), false);
  for (const auto& [from, to] : marked.answers) {
    const size_t begin = tokens_before(tokenizer, marked.text, from, ids);
    size_t end =
        to == marked.text.size() ? ids.size() : tokens_before(tokenizer, marked.text, to, ids);
    end = without_tail(tokenizer, ids, begin, end);
    std::fill(learnt.begin() + static_cast<std::ptrdiff_t>(begin),
              learnt.begin() + static_cast<std::ptrdiff_t>(std::max(begin, end)), true);
  }
  // What follows the last answer's end teaches nothing, and the last token predicts nothing.
  size_t used = learnt.size();
  while (used > 0 && !learnt[used - 1]) --used;
  require(used > 1, "{}: the answers have no tokens", where);
  const size_t limit = static_cast<size_t>(std::max<int64_t>(options.max_length, 0));
  if (limit > 0 && used - 1 > limit) {
    if (!options.truncate)
      example_too_long(data.file, record.line, static_cast<int64_t>(used) - 1, options.max_length);
    used = limit + 1;
  }
  ids.resize(used);
  for (size_t t = 0; t + 1 < used; ++t)
    out.example.labels.push_back(learnt[t + 1] ? ids[t + 1] : -100);
  ids.pop_back();
  require(std::any_of(out.example.labels.begin(), out.example.labels.end(),
                      [](int32_t label) { return label != -100; }),
          "{}: cut to {} tokens, nothing of the answers is left", where, options.max_length);
  return out;
}

std::vector<int32_t> encode_chat_prompt(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                        const jinja::Value& messages, const jinja::Value& tools) {
  auto ids = tokenizer.encode(chat.render(messages, true, tools).text, false);
  require(!ids.empty(), "the chat template ({}) makes no text of the conversation", chat.name());
  refuse_double_bos(tokenizer, chat, ids, "the prompt");
  return ids;
}

std::pair<jinja::Value, std::string> split_last_answer(const ChatRecord& record) {
  const size_t end = end_of_answers(record);
  return {first_messages(record, end - 1), text_of(record.messages.sequence()->items[end - 1])};
}

std::string last_question(const ChatRecord& record) {
  const auto& items = record.messages.sequence()->items;
  for (size_t i = end_of_answers(record); i-- > 0;)
    if (role_of(items[i]) == "user") return text_of(items[i]);
  return "(no question)";
}

EndOfTurn end_of_turn(const Tokenizer& tokenizer, const ChatTemplate& chat) {
  const std::string answer = "lorikeet";
  std::string text;
  try {
    text = chat.render(jinja::make_sequence(
                           {chat_message("user", "hello"), chat_message("assistant", answer)}),
                       false)
               .text;
  } catch (const Error&) {
    return {};  // the template wants more than this conversation has
  }
  const size_t at = text.rfind(answer);
  if (at == std::string::npos) return {};
  text = text.substr(at + answer.size());
  EndOfTurn out;
  out.text = jinja::strip(text, "", true, true);
  for (const int32_t id : tokenizer.encode(text, false))
    if (tokenizer.is_special(id)) {
      out.ids.push_back(id);
      break;
    }
  return out;
}

}  // namespace lk
