#include "data/chat.h"

#include <doctest/doctest.h>

#include "data/chat_example.h"
#include "data/jinja/json.h"
#include "tests/support.h"

namespace lk {
namespace {

const std::string kSimple =
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}";
const std::string kMarked =
    "{% for m in messages %}<|{{ m.role }}|>\n{% if m.role == 'assistant' %}{% generation %}"
    "{{ m.content }}{{ eos_token }}{% endgeneration %}\n\n{% else %}{{ m.content }}{{ eos_token "
    "}}\n"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}";
// Drops what stands before </think> but in the last message.
const std::string kForgetting =
    "{% for m in messages %}<|{{ m.role }}|>\n"
    "{{ m.content if loop.last else m.content.split('</think>')[-1] }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}";

ChatTemplate simple(const std::string& text = kSimple) {
  jinja::Dict tokens;
  tokens.set("bos_token", "<|endoftext|>");
  tokens.set("eos_token", "<|endoftext|>");
  return {text, "test.jinja", tokens};
}

const Tokenizer& tokenizer() {
  static const Tokenizer t = Tokenizer::load("data/base");
  return t;
}

ChatData chats(const std::string& lines) {
  const test::TempDir dir;
  test::write_file(dir / "c.jsonl", lines);
  ChatData data = read_chat_jsonl(dir / "c.jsonl");
  data.file = "c.jsonl";
  return data;
}

const std::string kTwoTurns =
    R"({"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"A fox?"},)"
    R"({"role":"assistant","content":"An animal."},{"role":"user","content":"And a pub?"},)"
    R"({"role":"assistant","content":"A house."},{"role":"user","content":"Thanks."}]})"
    "\n";

// The tokens that carry loss, as text; a bar between answers.
std::string learnt(const Example& e) {
  std::string out;
  for (size_t t = 0; t < e.ids.size(); ++t) {
    if (e.labels[t] == -100) {
      if (!out.empty() && out.back() != '|') out += '|';
      continue;
    }
    const std::vector<int32_t> one{e.labels[t]};
    out += tokenizer().decode(one, false);
    if (t + 1 < e.ids.size()) CHECK(e.labels[t] == e.ids[t + 1]);
  }
  return out;
}

TEST_CASE("chat: loss on each answer and its end, on nothing else") {
  const ChatData data = chats(kTwoTurns);
  const std::string answers = "An animal.<|endoftext|>|A house.<|endoftext|>";
  for (const std::string& text : {kSimple, kMarked}) {
    const ChatExample e = encode_chat_example(tokenizer(), simple(text), data, data.records[0], {});
    CHECK(learnt(e.example) == answers);
    CHECK(!e.last_only);
    // Up to the last answer, whose end is predicted and not read.
    const std::string read = tokenizer().decode(e.example.ids, false);
    CHECK(read.starts_with("<|system|>\nBe brief.<|endoftext|>\n<|user|>\nA fox?<|endoftext|>\n"));
    CHECK(read.ends_with("<|assistant|>\nA house."));
  }
}

TEST_CASE("chat: training reads the tokens that generation starts from") {
  const ChatData data = chats(kTwoTurns);
  const Example e = encode_chat_example(tokenizer(), simple(), data, data.records[0], {}).example;
  const auto [messages, answer] = split_last_answer(data.records[0]);
  CHECK(answer == "A house.");
  CHECK(last_question(data.records[0]) == "And a pub?");
  const auto prompt = encode_chat_prompt(tokenizer(), simple(), messages);
  REQUIRE(prompt.size() < e.ids.size());
  CHECK(std::equal(prompt.begin(), prompt.end(), e.ids.begin()));
  CHECK(e.labels[prompt.size() - 2] == -100);
  CHECK(e.labels[prompt.size() - 1] == e.ids[prompt.size()]);
}

TEST_CASE("chat: a template that rewrites history leaves the last answer") {
  const ChatData data = chats(
      R"({"messages":[{"role":"user","content":"A?"},{"role":"assistant","content":"hm</think>B"},)"
      R"({"role":"user","content":"C?"},{"role":"assistant","content":"oh</think>D"}]})");
  const ChatExample e =
      encode_chat_example(tokenizer(), simple(kForgetting), data, data.records[0], {});
  CHECK(e.last_only);
  CHECK(learnt(e.example) == "oh</think>D<|endoftext|>");
  const std::string read = tokenizer().decode(e.example.ids, false);
  CHECK(read.find("<|assistant|>\nB<|endoftext|>") != std::string::npos);
  // Not even that: the whole is written backwards.
  const std::string message = test::error_of([&] {
    encode_chat_example(tokenizer(),
                        simple("{% for m in messages | reverse %}{{ m.content }}{% endfor %}"),
                        data, data.records[0], {});
  });
  CHECK(message.find("c.jsonl:1: the chat template (test.jinja) does not write the last answer") ==
        0);
}

TEST_CASE("chat: too long, cut, double begin, refused") {
  const ChatData data = chats(kTwoTurns);
  EncodeOptions options;
  const Example whole =
      encode_chat_example(tokenizer(), simple(), data, data.records[0], options).example;
  options.max_length = whole.length() - 3;
  CHECK(test::error_of([&] {
          encode_chat_example(tokenizer(), simple(), data, data.records[0], options);
        }).find("c.jsonl:1: the example has") == 0);
  options.truncate = true;
  const Example cut =
      encode_chat_example(tokenizer(), simple(), data, data.records[0], options).example;
  CHECK(cut.length() == options.max_length);
  CHECK(learnt(cut).starts_with("An animal.<|endoftext|>|"));
  CHECK(std::equal(cut.labels.begin(), cut.labels.end(), whole.labels.begin()));
  options.max_length = 5;
  CHECK(test::error_of([&] {
          encode_chat_example(tokenizer(), simple(), data, data.records[0], options);
        }).find("c.jsonl:1: cut to 5 tokens, nothing of the answers is left") == 0);
  const auto fails = [&](const std::string& text, const std::string& words) {
    const std::string message = test::error_of(
        [&] { encode_chat_example(tokenizer(), simple(text), data, data.records[0], {}); });
    CAPTURE(message);
    CHECK(message.find(words) != std::string::npos);
  };
  fails("{{ bos_token }}{{ bos_token }}" + kSimple, "begins with two <|endoftext|>");
  fails("{{ raise_exception('no system') }}",
        "c.jsonl:1: chat template test.jinja:1: the template refuses this conversation: no system");
  fails("{% generation %}{% endgeneration %}x", "cover nothing of this conversation");
}

TEST_CASE("chat: what ends an answer") {
  const EndOfTurn end = end_of_turn(tokenizer(), simple());
  CHECK(end.ids == std::vector<int32_t>{*tokenizer().token_id("<|endoftext|>")});
  CHECK(end.text == "<|endoftext|>");
  const EndOfTurn letters = end_of_turn(
      tokenizer(), simple("{% for m in messages %}{{ m.content }}<|im_end|>\n{% endfor %}"));
  CHECK(letters.ids.empty());
  CHECK(letters.text == "<|im_end|>");
}

TEST_CASE("chat: malformed records are named") {
  const auto fails = [&](const std::string& line, const std::string& words) {
    const std::string message = test::error_of([&] { chats(kTwoTurns + line); });
    CAPTURE(message);
    CHECK(message.find("c.jsonl:2: ") != std::string::npos);
    CHECK(message.find(words) != std::string::npos);
  };
  fails("{\"messages\": [", "not valid JSON");
  fails("[]", "list, expected an object");
  fails(R"({"input":"a","output":"b"})", "the key \"messages\" is missing");
  fails(R"({"messages":[]})", "\"messages\" is empty");
  fails(R"({"messages":"a"})", "\"messages\" is a str");
  fails(R"({"messages":["a"]})", "message 0 is a str");
  fails(R"({"messages":[{"content":"a"}]})", "message 0 has no \"role\"");
  fails(R"({"messages":[{"role":"user","content":"a"},{"role":"bot","content":"a"}]})",
        "message 1 has the role 'bot'");
  fails(R"({"messages":[{"role":"user"}]})", "message 0 has no \"content\"");
  fails(R"({"messages":[{"role":"user","content":3}]})", "the content of message 0 is a int");
  fails(R"({"messages":[{"role":"user","content":[{"type":"image"}]}]})", "has a part that is not");
  fails(R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":""}]})",
        "no message of the assistant has content");
  fails(R"({"messages":[{"role":"assistant","content":"a"}],"tools":3})",
        "\"tools\" is not a list");
  fails("{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}", "not valid UTF-8");
  const test::TempDir dir;
  test::write_file(dir / "t.jsonl", "{\"input\":\"a\",\"output\":\"b\"}\n" + kTwoTurns);
  CHECK(data_kind(dir / "t.jsonl") == DataKind::text_jsonl);
  CHECK(test::error_of([&] {
          read_text_jsonl(dir / "t.jsonl");
        }).find("t.jsonl:2: a conversation") != std::string::npos);
  test::write_file(dir / "m.jsonl", kTwoTurns);
  CHECK(data_kind(dir / "m.jsonl") == DataKind::chat_jsonl);
  const ChatData parts = chats(
      R"({"messages":[{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]})");
  CHECK(split_last_answer(parts.records[0]).second == "ab");
}

TEST_CASE("chat: where the template and the special tokens come from") {
  const test::TempDir dir;
  const auto load = [&](const std::filesystem::path& file = {}) {
    return ChatTemplate::load({dir.path()}, file, tokenizer());
  };
  const auto text = [&] {
    return load().render(jinja::make_sequence({chat_message("user", "x")}), false).text;
  };
  CHECK(test::error_of([&] { load(); }).find("the model has no chat template") !=
        std::string::npos);
  CHECK(!ChatTemplate::find({dir.path()}));
  test::write_file(dir / "config.json", R"({"eos_token_id":[0]})");
  test::write_file(dir / "tokenizer_config.json", R"({"chat_template":"1{{ eos_token }}"})");
  CHECK(text() == "1<|endoftext|>");
  test::write_file(
      dir / "tokenizer_config.json",
      R"({"eos_token":{"content":"</s>"},"chat_template":[{"name":"tool_use","template":"t"},
          {"name":"default","template":"2{{ eos_token }}{{ bos_token }}"}]})");
  CHECK(text() == "2</s>");
  test::write_file(dir / "chat_template.jinja", "3{{ messages[0].content }}");
  CHECK(text() == "3x");
  test::write_file(dir / "mine.jinja", "4");
  CHECK(load(dir / "mine.jinja").render(jinja::make_sequence({}), false).text == "4");
  test::write_file(dir / "generation_config.json", R"({"eos_token_id":[1, 2]})");
  CHECK(load().stop_ids() == std::vector<int32_t>{1, 2});
  std::filesystem::remove(dir / "chat_template.jinja");
  test::write_file(dir / "tokenizer_config.json",
                   R"({"chat_template":[{"name":"rag","template":""}]})");
  CHECK(test::error_of([&] { load(); }).find("has no 'default', only rag") != std::string::npos);
  test::write_file(dir / "tokenizer_config.json", R"({"chat_template":3})");
  CHECK(test::error_of([&] { load(); }).find("chat_template is number") != std::string::npos);
  CHECK(test::error_of([&] { load(dir / "none.jinja"); }).find("none.jinja") != std::string::npos);
}

}  // namespace
}  // namespace lk
