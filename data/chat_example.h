// Conversations as examples: loss on what the assistant says.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "data/batch.h"
#include "data/chat.h"

namespace lk {

// The text of a conversation up to its last answer, and the bytes of it that are the assistant's.
struct MarkedChat {
  std::string text;
  std::vector<std::pair<size_t, size_t>> answers;  // begin, end; in order
  bool last_only = false;  // the template rewrites history: only the last answer is marked
};

// Answers are what {% generation %} covers, where the template has it. Else each answer is what the
// conversation up to and with it has beyond the conversation before it and the generation prompt;
// both must be beginnings of the whole. Where they are not (a template that drops the thoughts of
// earlier turns), only the last answer is marked. Error with file and line when that fails too.
MarkedChat mark_answers(const ChatTemplate& chat, const ChatData& data, const ChatRecord& record);

struct ChatExample {
  Example example;
  bool last_only = false;
};

// Loss on the answers and the token that ends each. The template carries the special tokens: none
// is added, and two begin-of-text tokens in a row are an Error.
ChatExample encode_chat_example(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                const ChatData& data, const ChatRecord& record,
                                const EncodeOptions& options);

// The tokens that the next answer is generated from.
std::vector<int32_t> encode_chat_prompt(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                        const jinja::Value& messages,
                                        const jinja::Value& tools = {});

// A record's messages before the last answer, and that answer's text.
std::pair<jinja::Value, std::string> split_last_answer(const ChatRecord& record);

// The last message of the user before it, for people.
std::string last_question(const ChatRecord& record);

// What the template puts behind an answer: the special token that ends generation, where there is
// one, and the text without white space around. Nothing for a template that ends answers with the
// conversation alone.
struct EndOfTurn {
  std::vector<int32_t> ids;
  std::string text;
};
EndOfTurn end_of_turn(const Tokenizer& tokenizer, const ChatTemplate& chat);

}  // namespace lk
