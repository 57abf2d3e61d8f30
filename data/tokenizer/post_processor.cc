#include "data/tokenizer/post_processor.h"

#include <algorithm>
#include <string>
#include <utility>

#include "data/tokenizer/json_node.h"

namespace lk {

namespace {

// The member `sep` or `cls`: ["[SEP]", 102].
TokenId parse_token(const JsonNode& node) {
  node.expect_array();
  if (node.size() != 2) node.fail("expected [\"token\", id]");
  return static_cast<TokenId>(node.item(1).integer(0, INT32_MAX));
}

Segment single(TokenId id, int32_t type) { return {{id}, {type}}; }

// A piece of a template: special tokens, or one of the texts.
struct TemplatePiece {
  int sequence = -1;         // 0: A, 1: B, -1: special tokens
  std::vector<TokenId> ids;  // of the special tokens
  int32_t type = 0;
};
using Template = std::vector<TemplatePiece>;

Template parse_template(const JsonNode& list, const JsonNode& owner) {
  list.expect_array();
  const auto specials = owner.find("special_tokens");
  Template pieces;
  for (size_t i = 0; i < list.size(); ++i) {
    const JsonNode item = list.item(i);
    TemplatePiece piece;
    if (const auto sequence = item.find("Sequence")) {
      const std::string& id = sequence->at("id").text();
      if (id != "A" && id != "B") sequence->fail("found id \"{}\", expected \"A\" or \"B\"", id);
      piece.sequence = id == "B";
      piece.type = static_cast<int32_t>(sequence->integer_or("type_id", 0, INT32_MAX, 0));
    } else {
      const JsonNode token = item.at("SpecialToken");
      piece.type = static_cast<int32_t>(token.integer_or("type_id", 0, INT32_MAX, 0));
      const std::string& name = token.at("id").text();
      const auto special = specials ? specials->find(name) : std::nullopt;
      if (!special) token.fail("\"{}\" is not in special_tokens", name);
      const JsonNode ids = special->at("ids");
      ids.expect_array();
      for (size_t j = 0; j < ids.size(); ++j)
        piece.ids.push_back(static_cast<TokenId>(ids.item(j).integer(0, INT32_MAX)));
    }
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

PostProcessor parse_template_processing(const JsonNode& node) {
  const JsonNode one = node.at("single"), two = node.at("pair");
  Template single_pieces = parse_template(one, node), pair_pieces = parse_template(two, node);
  const auto uses = [](const Template& t, int sequence) {
    return std::any_of(t.begin(), t.end(), [&](const auto& p) { return p.sequence == sequence; });
  };
  if (uses(single_pieces, 1)) one.fail("the template for one text uses \"B\"");
  if (!uses(pair_pieces, 0) || !uses(pair_pieces, 1))
    two.fail("the template for two texts must use \"A\" and \"B\"");
  return [single_pieces = std::move(single_pieces), pair_pieces = std::move(pair_pieces)](
             std::vector<Segment> texts, bool special) {
    std::vector<Segment> out;
    for (const auto& piece : texts.size() == 2 ? pair_pieces : single_pieces) {
      if (piece.sequence < 0 && !special) continue;
      Segment s;
      s.ids = piece.sequence < 0 ? piece.ids : texts[piece.sequence].ids;
      s.types.assign(s.ids.size(), piece.type);
      out.push_back(std::move(s));
    }
    return out;
  };
}

// [CLS] A [SEP] B [SEP]; the second part has type 1.
PostProcessor parse_bert(const JsonNode& node) {
  const TokenId sep = parse_token(node.at("sep")), cls = parse_token(node.at("cls"));
  return [sep, cls](std::vector<Segment> texts, bool special) {
    if (!special) return texts;
    std::vector<Segment> out{single(cls, 0)};
    for (size_t i = 0; i < texts.size(); ++i) {
      const auto type = static_cast<int32_t>(i);
      texts[i].types.assign(texts[i].ids.size(), type);
      out.push_back(std::move(texts[i]));
      out.push_back(single(sep, type));
    }
    return out;
  };
}

// <s> A </s> </s> B </s>; all types are 0.
PostProcessor parse_roberta(const JsonNode& node) {
  const TokenId sep = parse_token(node.at("sep")), cls = parse_token(node.at("cls"));
  return [sep, cls](std::vector<Segment> texts, bool special) {
    for (auto& t : texts) t.types.assign(t.ids.size(), 0);
    if (!special) return texts;
    std::vector<Segment> out;
    for (size_t i = 0; i < texts.size(); ++i) {
      out.push_back(single(i == 0 ? cls : sep, 0));
      out.push_back(std::move(texts[i]));
      out.push_back(single(sep, 0));
    }
    return out;
  };
}

PostProcessor parse_nested(const JsonNode& node, int depth) {
  const std::string& type = node.at("type").text();
  if (type == "TemplateProcessing") return parse_template_processing(node);
  if (type == "BertProcessing") return parse_bert(node);
  if (type == "RobertaProcessing") return parse_roberta(node);
  if (type == "ByteLevel")  // it changes offsets only
    return [](std::vector<Segment> texts, bool) { return texts; };
  if (type == "Sequence") {
    if (depth > 8) node.fail("sequences are nested too deeply");
    const JsonNode list = node.at("processors");
    list.expect_array();
    std::vector<PostProcessor> steps;
    int adders = 0;
    for (size_t i = 0; i < list.size(); ++i) {
      const JsonNode item = list.item(i);
      adders += item.at("type").text() != "ByteLevel";
      if (adders > 1) item.fail("a second post-processor that adds tokens is not supported");
      steps.push_back(parse_nested(item, depth + 1));
    }
    return [steps = std::move(steps)](std::vector<Segment> texts, bool special) {
      for (const auto& step : steps) texts = step(std::move(texts), special);
      return texts;
    };
  }
  node.fail(
      "unsupported post-processor \"{}\" (supported: TemplateProcessing, BertProcessing, "
      "RobertaProcessing, ByteLevel, Sequence)",
      type);
}

}  // namespace

PostProcessor parse_post_processor(const JsonNode& node) { return parse_nested(node, 0); }

}  // namespace lk
