// Puts an adapter into its base and writes a plain model folder.
#include "engine/files/atomic_file.h"
#include "engine/files/json.h"
#include "tools/train/cli.h"
#include "tools/train/run_model.h"

using namespace lk;

int main(int argc, char** argv) {
  CLI::App app("merge: put an adapter into its base model");
  std::string model, adapter, output;
  DType dtype = DType::f32;
  app.add_option("--model", model, "base folder; default: the one that adapter_config.json names");
  app.add_option("--adapter", adapter, "adapter folder")->required();
  app.add_option("--output", output, "folder for the merged model")->required();
  add_dtype_option(app, dtype);
  return run_tool(app, argc, argv, [&] {
    OpenModel open = open_model(model, adapter, DType::f32);
    require(!std::filesystem::exists(output) || !std::filesystem::equivalent(output, open.base),
            "{}: is the base folder; choose another --output", output);
    open.method->merge(*open.model);
    save_model(*open.model, open.config, output, dtype, open.labels);
    const auto copy = [&](const std::filesystem::path& folder, const char* file) {
      if (std::filesystem::exists(folder / file))
        write_file_atomically(std::filesystem::path(output) / file, read_text(folder / file));
    };
    for (const char* file : {"tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json",
                             "merges.txt", "special_tokens_map.json", "generation_config.json",
                             "chat_template.json", "chat_template.jinja"})
      copy(open.base, file);
    copy(adapter, "chat_template.jinja");  // the one it was trained with
    fmt::print("merged model: {}\n", output);
  });
}
