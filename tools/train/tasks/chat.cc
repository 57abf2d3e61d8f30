// Conversations (.jsonl with "messages"): the assistant's answers.
#include <optional>

#include "engine/files/atomic_file.h"
#include "tools/train/chat_run.h"
#include "tools/train/tasks/task.h"

namespace lk {
namespace {

class Chat : public TaskData {
 public:
  Chat(const std::filesystem::path& file, std::string template_file)
      : data_(read_chat_jsonl(file)), template_file_(std::move(template_file)) {}
  std::vector<std::string> inputs() const override {
    std::vector<std::string> out;
    for (const ChatRecord& r : data_.records) out.push_back(last_question(r));
    return out;
  }
  void open(const TaskPlace& place) override {
    chat_ = open_chat_template(place.base, place.adapter, template_file_, place.tokenizer);
  }
  // Later the adapter is spoken to as it was trained.
  void save(const std::filesystem::path& adapter) const override {
    write_file_atomically(adapter / "chat_template.jinja", chat_->text());
  }

  std::vector<Example> examples(const Model&, const Tokenizer& tokenizer,
                                const EncodeOptions& options) const override {
    return encode_chat(tokenizer, *chat_, data_, data_.records.size(), options);
  }
  Scores score(Model& model, const Tokenizer& tokenizer, const ScoreOptions& o) const override {
    return score_chat(model, tokenizer, *chat_, data_, o);
  }

 private:
  ChatData data_;
  std::string template_file_;
  std::optional<ChatTemplate> chat_;
};

}  // namespace

TaskKind chat_task() {
  return {"chat",
          Task::causal_lm,
          {"chat-template"},
          [](const TaskQuery& q) { return q.data == DataKind::chat_jsonl; },
          [](const auto& file, const TaskOptions& o, const auto&) -> std::unique_ptr<TaskData> {
            return std::make_unique<Chat>(file, o.chat_template);
          }};
}

}  // namespace lk
