// Data sets from files, one record a line. Every error names file and line.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/jinja/value.h"

namespace lk {

// label<TAB>text or label<TAB>text_a<TAB>text_b
struct ClassRecord {
  std::string label, text_a, text_b;
  int64_t line = 0;
};
struct ClassData {
  std::filesystem::path file;
  std::vector<ClassRecord> records;
  bool pairs = false;
  std::vector<std::string> labels() const;  // sorted, each once
};
ClassData read_class_tsv(const std::filesystem::path& file);

// {"input": ..., "output": ...}, and where there are several right answers {"references": [...]}
struct TextRecord {
  std::string input, output;
  std::vector<std::string> references;  // at least the output
  int64_t line = 0;
  std::map<std::string, std::string> fields = {};  // each key with a string, but the output
};
struct TextData {
  std::filesystem::path file;
  std::vector<TextRecord> records;
};
TextData read_text_jsonl(const std::filesystem::path& file);

// {"messages": [{"role": ..., "content": ...}, ...]}, and {"tools": [...]} where the model may call
// some. Roles are system, developer, user, assistant and tool; content is a string or a list of
// {"type": "text", "text": ...}; other keys (tool_calls, name) are kept for the chat template.
struct ChatRecord {
  jinja::Value messages;  // a list of dicts; one at least is the assistant's and not empty
  jinja::Value tools;     // none without
  int64_t line = 0;
};
struct ChatData {
  std::filesystem::path file;
  std::vector<ChatRecord> records;
};
ChatData read_chat_jsonl(const std::filesystem::path& file);
std::string role_of(const jinja::Value& message);
std::string text_of(const jinja::Value& message);  // the content, parts of a list put together

enum class DataKind : uint8_t { class_tsv, tagged, text_jsonl, chat_jsonl, plain_text };
// By extension: .tsv, .conll, .jsonl, .txt; Error for another. The first record of a .jsonl tells
// which of the two kinds it is.
DataKind data_kind(const std::filesystem::path& file);

// The index of `label`; Error with file, line and the labels of the training data when it is none
// of them.
int32_t label_index(const std::vector<std::string>& labels, const ClassData& data,
                    const ClassRecord& record);

}  // namespace lk
