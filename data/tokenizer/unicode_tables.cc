// What differs between the versions of Unicode that the reference implementation uses, as ranges of
// code points; written from the Unicode Character Database of the versions 8, 9, 14 to 18.
#include "data/tokenizer/unicode_tables.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace lk::unicode {

namespace {

struct Range {
  uint32_t first, last;
  int value;
};

constexpr int kCf = UTF8PROC_CATEGORY_CF;
constexpr int kCn = UTF8PROC_CATEGORY_CN;
constexpr int kLl = UTF8PROC_CATEGORY_LL;
constexpr int kLm = UTF8PROC_CATEGORY_LM;
constexpr int kLo = UTF8PROC_CATEGORY_LO;
constexpr int kLu = UTF8PROC_CATEGORY_LU;
constexpr int kMc = UTF8PROC_CATEGORY_MC;
constexpr int kMn = UTF8PROC_CATEGORY_MN;
constexpr int kNd = UTF8PROC_CATEGORY_ND;
constexpr int kNo = UTF8PROC_CATEGORY_NO;
constexpr int kPd = UTF8PROC_CATEGORY_PD;
constexpr int kPo = UTF8PROC_CATEGORY_PO;
constexpr int kSm = UTF8PROC_CATEGORY_SM;
constexpr int kSo = UTF8PROC_CATEGORY_SO;

// General categories of Unicode 16 where those of 14, 15, 17 or 18 differ.
constexpr Range kCategories[] = {
    {0x295, 0x295, kLl},     {0x88F, 0x88F, kCn},     {0x897, 0x897, kMn},
    {0xC5C, 0xC5C, kCn},     {0xCDC, 0xCDC, kCn},     {0xCF3, 0xCF3, kMc},
    {0xECE, 0xECE, kMn},     {0x1ACF, 0x1ADD, kCn},   {0x1AE0, 0x1AEB, kCn},
    {0x1B4E, 0x1B4F, kPo},   {0x1B7F, 0x1B7F, kPo},   {0x1C89, 0x1C89, kLu},
    {0x1C8A, 0x1C8A, kLl},   {0x20C1, 0x20C1, kCn},   {0x2427, 0x2429, kSo},
    {0x2B96, 0x2B96, kCn},   {0x2FFC, 0x2FFF, kSo},   {0x31E4, 0x31E5, kSo},
    {0x31EF, 0x31EF, kSo},   {0xA7CB, 0xA7CC, kLu},   {0xA7CD, 0xA7CD, kLl},
    {0xA7CE, 0xA7CF, kCn},   {0xA7D2, 0xA7D2, kCn},   {0xA7D4, 0xA7D4, kCn},
    {0xA7DA, 0xA7DA, kLu},   {0xA7DB, 0xA7DB, kLl},   {0xA7DC, 0xA7DC, kLu},
    {0xA7F1, 0xA7F1, kCn},   {0xFBC3, 0xFBD2, kCn},   {0xFD90, 0xFD91, kCn},
    {0xFDC8, 0xFDCE, kCn},   {0x105C0, 0x105F3, kLo}, {0x10940, 0x10959, kCn},
    {0x10D40, 0x10D49, kNd}, {0x10D4A, 0x10D4D, kLo}, {0x10D4E, 0x10D4E, kLm},
    {0x10D4F, 0x10D4F, kLo}, {0x10D50, 0x10D65, kLu}, {0x10D69, 0x10D6D, kMn},
    {0x10D6E, 0x10D6E, kPd}, {0x10D6F, 0x10D6F, kLm}, {0x10D70, 0x10D85, kLl},
    {0x10D8E, 0x10D8F, kSm}, {0x10EC2, 0x10EC4, kLo}, {0x10EC5, 0x10EC7, kCn},
    {0x10ED0, 0x10ED8, kCn}, {0x10EFA, 0x10EFB, kCn}, {0x10EFC, 0x10EFF, kMn},
    {0x1123F, 0x11240, kLo}, {0x11241, 0x11241, kMn}, {0x11380, 0x11389, kLo},
    {0x1138B, 0x1138B, kLo}, {0x1138E, 0x1138E, kLo}, {0x11390, 0x113B5, kLo},
    {0x113B7, 0x113B7, kLo}, {0x113B8, 0x113BA, kMc}, {0x113BB, 0x113C0, kMn},
    {0x113C2, 0x113C2, kMc}, {0x113C5, 0x113C5, kMc}, {0x113C7, 0x113CA, kMc},
    {0x113CC, 0x113CD, kMc}, {0x113CE, 0x113CE, kMn}, {0x113CF, 0x113CF, kMc},
    {0x113D0, 0x113D0, kMn}, {0x113D1, 0x113D1, kLo}, {0x113D2, 0x113D2, kMn},
    {0x113D3, 0x113D3, kLo}, {0x113D4, 0x113D5, kPo}, {0x113D7, 0x113D8, kPo},
    {0x113E1, 0x113E2, kMn}, {0x116D0, 0x116E3, kNd}, {0x1171E, 0x1171E, kMc},
    {0x11B00, 0x11B09, kPo}, {0x11B60, 0x11B67, kCn}, {0x11BC0, 0x11BE0, kLo},
    {0x11BE1, 0x11BE1, kPo}, {0x11BF0, 0x11BF9, kNd}, {0x11DB0, 0x11DDB, kCn},
    {0x11DE0, 0x11DE9, kCn}, {0x11F00, 0x11F01, kMn}, {0x11F02, 0x11F02, kLo},
    {0x11F03, 0x11F03, kMc}, {0x11F04, 0x11F10, kLo}, {0x11F12, 0x11F33, kLo},
    {0x11F34, 0x11F35, kMc}, {0x11F36, 0x11F3A, kMn}, {0x11F3E, 0x11F3F, kMc},
    {0x11F40, 0x11F40, kMn}, {0x11F41, 0x11F41, kMc}, {0x11F42, 0x11F42, kMn},
    {0x11F43, 0x11F4F, kPo}, {0x11F50, 0x11F59, kNd}, {0x11F5A, 0x11F5A, kMn},
    {0x1342F, 0x1342F, kLo}, {0x13439, 0x1343F, kCf}, {0x13440, 0x13440, kMn},
    {0x13441, 0x13446, kLo}, {0x13447, 0x13455, kMn}, {0x13460, 0x143FA, kLo},
    {0x16100, 0x1611D, kLo}, {0x1611E, 0x16129, kMn}, {0x1612A, 0x1612C, kMc},
    {0x1612D, 0x1612F, kMn}, {0x16130, 0x16139, kNd}, {0x16D40, 0x16D42, kLm},
    {0x16D43, 0x16D6A, kLo}, {0x16D6B, 0x16D6C, kLm}, {0x16D6D, 0x16D6F, kPo},
    {0x16D70, 0x16D79, kNd}, {0x16EA0, 0x16EB8, kCn}, {0x16EBB, 0x16ED3, kCn},
    {0x16FF2, 0x16FF6, kCn}, {0x187F8, 0x187FF, kCn}, {0x18CFF, 0x18CFF, kLo},
    {0x18D09, 0x18D1E, kCn}, {0x18D80, 0x18DF2, kCn}, {0x1B132, 0x1B132, kLo},
    {0x1B155, 0x1B155, kLo}, {0x1CC00, 0x1CCEF, kSo}, {0x1CCF0, 0x1CCF9, kNd},
    {0x1CCFA, 0x1CCFC, kCn}, {0x1CD00, 0x1CEB3, kSo}, {0x1CEBA, 0x1CED0, kCn},
    {0x1CEE0, 0x1CEF0, kCn}, {0x1D2C0, 0x1D2D3, kNo}, {0x1DF25, 0x1DF2A, kLl},
    {0x1E030, 0x1E06D, kLm}, {0x1E08F, 0x1E08F, kMn}, {0x1E4D0, 0x1E4EA, kLo},
    {0x1E4EB, 0x1E4EB, kLm}, {0x1E4EC, 0x1E4EF, kMn}, {0x1E4F0, 0x1E4F9, kNd},
    {0x1E5D0, 0x1E5ED, kLo}, {0x1E5EE, 0x1E5EF, kMn}, {0x1E5F0, 0x1E5F0, kLo},
    {0x1E5F1, 0x1E5FA, kNd}, {0x1E5FF, 0x1E5FF, kPo}, {0x1E6C0, 0x1E6DE, kCn},
    {0x1E6E0, 0x1E6F5, kCn}, {0x1E6FE, 0x1E6FF, kCn}, {0x1F6D8, 0x1F6D8, kCn},
    {0x1F6DC, 0x1F6DC, kSo}, {0x1F774, 0x1F776, kSo}, {0x1F777, 0x1F77A, kCn},
    {0x1F77B, 0x1F77F, kSo}, {0x1F7D9, 0x1F7D9, kSo}, {0x1F8B2, 0x1F8BB, kSo},
    {0x1F8C0, 0x1F8C1, kSo}, {0x1F8D0, 0x1F8D8, kCn}, {0x1FA54, 0x1FA57, kCn},
    {0x1FA75, 0x1FA77, kSo}, {0x1FA87, 0x1FA89, kSo}, {0x1FA8A, 0x1FA8A, kCn},
    {0x1FA8E, 0x1FA8E, kCn}, {0x1FA8F, 0x1FA8F, kSo}, {0x1FAAD, 0x1FAAF, kSo},
    {0x1FABB, 0x1FABF, kSo}, {0x1FAC6, 0x1FAC6, kSo}, {0x1FAC8, 0x1FAC8, kCn},
    {0x1FACD, 0x1FACD, kCn}, {0x1FACE, 0x1FACF, kSo}, {0x1FADA, 0x1FADC, kSo},
    {0x1FADF, 0x1FADF, kSo}, {0x1FAE8, 0x1FAE9, kSo}, {0x1FAEA, 0x1FAEA, kCn},
    {0x1FAEF, 0x1FAEF, kCn}, {0x1FAF7, 0x1FAF8, kSo}, {0x1FBCB, 0x1FBEF, kSo},
    {0x1FBFA, 0x1FBFA, kCn}, {0x2B739, 0x2B739, kLo}, {0x2B73A, 0x2B73F, kCn},
    {0x2CEA2, 0x2CEAD, kCn}, {0x2EBF0, 0x2EE5D, kLo}, {0x31350, 0x323AF, kLo},
    {0x323B0, 0x33479, kCn},
};

// Properties that are not what the categories of Unicode 16 say.
constexpr Range kFlips[] = {
    {0x61D, 0x61D, kPunctuation8},
    {0x7FD, 0x7FD, kNonspacing8 | kMark9 | kInert},
    {0x890, 0x891, kOther8},
    {0x897, 0x89F, kNonspacing8 | kMark9 | kInert},
    {0x8CA, 0x8D3, kNonspacing8 | kMark9 | kInert},
    {0x8D4, 0x8E1, kNonspacing8},
    {0x8E2, 0x8E2, kOther8},
    {0x9FD, 0x9FD, kPunctuation8},
    {0x9FE, 0x9FE, kNonspacing8 | kMark9 | kInert},
    {0xA76, 0xA76, kPunctuation8},
    {0xAFA, 0xAFF, kNonspacing8 | kMark9},
    {0xB55, 0xB55, kNonspacing8 | kMark9},
    {0xC04, 0xC04, kNonspacing8 | kMark9},
    {0xC3C, 0xC3C, kNonspacing8 | kMark9 | kInert},
    {0xC77, 0xC77, kPunctuation8},
    {0xC84, 0xC84, kPunctuation8},
    {0xCF3, 0xCF3, kMark9},
    {0xD00, 0xD00, kNonspacing8 | kMark9},
    {0xD3B, 0xD3C, kNonspacing8 | kMark9 | kInert},
    {0xD81, 0xD81, kNonspacing8 | kMark9},
    {0xEBA, 0xEBA, kNonspacing8 | kMark9 | kInert},
    {0xECE, 0xECE, kNonspacing8 | kMark9},
    {0x166D, 0x166D, kPunctuation8},
    {0x1715, 0x1715, kMark9 | kInert},
    {0x1734, 0x1734, kNonspacing8},
    {0x180F, 0x180F, kNonspacing8 | kMark9},
    {0x1885, 0x1886, kNonspacing8},
    {0x1ABF, 0x1ACE, kNonspacing8 | kMark9 | kInert},
    {0x1ACF, 0x1ADD, kInert},
    {0x1AE0, 0x1AEB, kInert},
    {0x1B4E, 0x1B4F, kPunctuation8},
    {0x1B7D, 0x1B7F, kPunctuation8},
    {0x1CF2, 0x1CF3, kMark9},
    {0x1CF7, 0x1CF7, kMark9},
    {0x1DF6, 0x1DFA, kNonspacing8 | kMark9 | kInert},
    {0x1DFB, 0x1DFB, kNonspacing8},
    {0x2E43, 0x2E4F, kPunctuation8},
    {0x2E52, 0x2E5D, kPunctuation8},
    {0x32FF, 0x32FF, kInert},
    {0xA7F1, 0xA7F4, kInert},
    {0xA82C, 0xA82C, kNonspacing8 | kMark9 | kInert},
    {0xA8C5, 0xA8C5, kNonspacing8},
    {0xA8FF, 0xA8FF, kNonspacing8 | kMark9},
    {0xA9BD, 0xA9BD, kNonspacing8},
    {0xAB69, 0xAB69, kInert},
    {0x105C9, 0x105C9, kInert},
    {0x105D2, 0x105D2, kInert},
    {0x105DA, 0x105DA, kInert},
    {0x105E4, 0x105E4, kInert},
    {0x10781, 0x10785, kInert},
    {0x10787, 0x107B0, kInert},
    {0x107B2, 0x107BA, kInert},
    {0x10D24, 0x10D27, kNonspacing8 | kMark9 | kInert},
    {0x10D69, 0x10D6D, kNonspacing8 | kMark9 | kInert},
    {0x10D6E, 0x10D6E, kPunctuation8},
    {0x10EAB, 0x10EAC, kNonspacing8 | kMark9 | kInert},
    {0x10EAD, 0x10EAD, kPunctuation8},
    {0x10EFA, 0x10EFB, kInert},
    {0x10EFC, 0x10EFC, kNonspacing8 | kMark9},
    {0x10EFD, 0x10EFF, kNonspacing8 | kMark9 | kInert},
    {0x10F46, 0x10F50, kNonspacing8 | kMark9 | kInert},
    {0x10F55, 0x10F59, kPunctuation8},
    {0x10F82, 0x10F85, kNonspacing8 | kMark9 | kInert},
    {0x10F86, 0x10F89, kPunctuation8},
    {0x11070, 0x11070, kNonspacing8 | kMark9 | kInert},
    {0x11073, 0x11074, kNonspacing8 | kMark9},
    {0x110C2, 0x110C2, kNonspacing8 | kMark9},
    {0x110CD, 0x110CD, kOther8},
    {0x11145, 0x11146, kMark9},
    {0x111C9, 0x111C9, kPunctuation8 | kNonspacing8 | kMark9},
    {0x111CE, 0x111CE, kMark9},
    {0x111CF, 0x111CF, kNonspacing8 | kMark9},
    {0x1123E, 0x1123E, kNonspacing8},
    {0x11241, 0x11241, kNonspacing8 | kMark9},
    {0x1133B, 0x1133B, kNonspacing8 | kMark9 | kInert},
    {0x11382, 0x11385, kInert},
    {0x1138B, 0x1138B, kInert},
    {0x1138E, 0x1138E, kInert},
    {0x11390, 0x11391, kInert},
    {0x113B8, 0x113BA, kMark9},
    {0x113BB, 0x113C0, kNonspacing8 | kMark9},
    {0x113C2, 0x113C2, kMark9 | kInert},
    {0x113C5, 0x113C5, kMark9 | kInert},
    {0x113C7, 0x113C8, kMark9 | kInert},
    {0x113C9, 0x113CA, kMark9},
    {0x113CC, 0x113CD, kMark9},
    {0x113CE, 0x113CE, kNonspacing8 | kMark9 | kInert},
    {0x113CF, 0x113CF, kMark9 | kInert},
    {0x113D0, 0x113D0, kNonspacing8 | kMark9 | kInert},
    {0x113D2, 0x113D2, kNonspacing8 | kMark9},
    {0x113D4, 0x113D5, kPunctuation8},
    {0x113D7, 0x113D8, kPunctuation8},
    {0x113E1, 0x113E2, kNonspacing8 | kMark9},
    {0x11438, 0x1143F, kNonspacing8},
    {0x11442, 0x11444, kNonspacing8},
    {0x11446, 0x11446, kNonspacing8},
    {0x1144B, 0x1144F, kPunctuation8},
    {0x1145A, 0x1145B, kPunctuation8},
    {0x1145D, 0x1145D, kPunctuation8},
    {0x1145E, 0x1145E, kNonspacing8 | kMark9 | kInert},
    {0x11660, 0x1166C, kPunctuation8},
    {0x116B9, 0x116B9, kPunctuation8},
    {0x1171E, 0x1171E, kNonspacing8},
    {0x1182C, 0x1182E, kMark9},
    {0x1182F, 0x11837, kNonspacing8 | kMark9},
    {0x11838, 0x11838, kMark9},
    {0x11839, 0x1183A, kNonspacing8 | kMark9 | kInert},
    {0x1183B, 0x1183B, kPunctuation8},
    {0x11930, 0x11934, kMark9},
    {0x11935, 0x11935, kMark9 | kInert},
    {0x11937, 0x11937, kMark9},
    {0x11938, 0x11938, kMark9 | kInert},
    {0x1193B, 0x1193C, kNonspacing8 | kMark9},
    {0x1193D, 0x1193D, kMark9 | kInert},
    {0x1193E, 0x1193E, kNonspacing8 | kMark9 | kInert},
    {0x11940, 0x11940, kMark9},
    {0x11942, 0x11942, kMark9},
    {0x11943, 0x11943, kNonspacing8 | kMark9 | kInert},
    {0x11944, 0x11946, kPunctuation8},
    {0x119D1, 0x119D3, kMark9},
    {0x119D4, 0x119D7, kNonspacing8 | kMark9},
    {0x119DA, 0x119DB, kNonspacing8 | kMark9},
    {0x119DC, 0x119DF, kMark9},
    {0x119E0, 0x119E0, kNonspacing8 | kMark9 | kInert},
    {0x119E2, 0x119E2, kPunctuation8},
    {0x119E4, 0x119E4, kMark9},
    {0x11A01, 0x11A0A, kNonspacing8 | kMark9},
    {0x11A33, 0x11A33, kNonspacing8 | kMark9},
    {0x11A34, 0x11A34, kNonspacing8 | kMark9 | kInert},
    {0x11A35, 0x11A38, kNonspacing8 | kMark9},
    {0x11A39, 0x11A39, kMark9},
    {0x11A3B, 0x11A3E, kNonspacing8 | kMark9},
    {0x11A3F, 0x11A46, kPunctuation8},
    {0x11A47, 0x11A47, kNonspacing8 | kMark9 | kInert},
    {0x11A51, 0x11A56, kNonspacing8 | kMark9},
    {0x11A57, 0x11A58, kMark9},
    {0x11A59, 0x11A5B, kNonspacing8 | kMark9},
    {0x11A8A, 0x11A96, kNonspacing8 | kMark9},
    {0x11A97, 0x11A97, kMark9},
    {0x11A98, 0x11A98, kNonspacing8 | kMark9},
    {0x11A99, 0x11A99, kNonspacing8 | kMark9 | kInert},
    {0x11A9A, 0x11A9C, kPunctuation8},
    {0x11A9E, 0x11AA2, kPunctuation8},
    {0x11B00, 0x11B09, kPunctuation8},
    {0x11BE1, 0x11BE1, kPunctuation8},
    {0x11C30, 0x11C36, kNonspacing8},
    {0x11C38, 0x11C3D, kNonspacing8},
    {0x11C3F, 0x11C3F, kNonspacing8},
    {0x11C41, 0x11C45, kPunctuation8},
    {0x11C70, 0x11C71, kPunctuation8},
    {0x11C92, 0x11CA7, kNonspacing8},
    {0x11CAA, 0x11CB0, kNonspacing8},
    {0x11CB2, 0x11CB3, kNonspacing8},
    {0x11CB5, 0x11CB6, kNonspacing8},
    {0x11D31, 0x11D36, kNonspacing8 | kMark9},
    {0x11D3A, 0x11D3A, kNonspacing8 | kMark9},
    {0x11D3C, 0x11D3D, kNonspacing8 | kMark9},
    {0x11D3F, 0x11D41, kNonspacing8 | kMark9},
    {0x11D42, 0x11D42, kNonspacing8 | kMark9 | kInert},
    {0x11D43, 0x11D43, kNonspacing8 | kMark9},
    {0x11D44, 0x11D45, kNonspacing8 | kMark9 | kInert},
    {0x11D47, 0x11D47, kNonspacing8 | kMark9},
    {0x11D8A, 0x11D8E, kMark9},
    {0x11D90, 0x11D91, kNonspacing8 | kMark9},
    {0x11D93, 0x11D94, kMark9},
    {0x11D95, 0x11D95, kNonspacing8 | kMark9},
    {0x11D96, 0x11D96, kMark9},
    {0x11D97, 0x11D97, kNonspacing8 | kMark9 | kInert},
    {0x11DE0, 0x11DE9, kNumber17},
    {0x11EF3, 0x11EF4, kNonspacing8 | kMark9},
    {0x11EF5, 0x11EF6, kMark9},
    {0x11EF7, 0x11EF8, kPunctuation8},
    {0x11F00, 0x11F01, kNonspacing8 | kMark9},
    {0x11F03, 0x11F03, kMark9},
    {0x11F34, 0x11F35, kMark9},
    {0x11F36, 0x11F3A, kNonspacing8 | kMark9},
    {0x11F3E, 0x11F3F, kMark9},
    {0x11F40, 0x11F40, kNonspacing8 | kMark9},
    {0x11F41, 0x11F41, kMark9 | kInert},
    {0x11F42, 0x11F42, kNonspacing8 | kMark9 | kInert},
    {0x11F43, 0x11F4F, kPunctuation8},
    {0x11F5A, 0x11F5A, kNonspacing8 | kMark9},
    {0x11FFF, 0x11FFF, kPunctuation8},
    {0x12FF1, 0x12FF2, kPunctuation8},
    {0x13430, 0x1343F, kOther8},
    {0x13440, 0x13440, kNonspacing8 | kMark9},
    {0x13447, 0x13455, kNonspacing8 | kMark9},
    {0x1611E, 0x1611E, kNonspacing8 | kMark9 | kInert},
    {0x1611F, 0x16120, kNonspacing8 | kMark9},
    {0x16121, 0x16129, kNonspacing8 | kMark9 | kInert},
    {0x1612A, 0x1612C, kMark9},
    {0x1612D, 0x1612E, kNonspacing8 | kMark9},
    {0x1612F, 0x1612F, kNonspacing8 | kMark9 | kInert},
    {0x16D63, 0x16D63, kInert},
    {0x16D67, 0x16D6A, kInert},
    {0x16D6D, 0x16D6F, kPunctuation8},
    {0x16E97, 0x16E9A, kPunctuation8},
    {0x16F4F, 0x16F4F, kNonspacing8 | kMark9},
    {0x16F7F, 0x16F87, kMark9},
    {0x16FE2, 0x16FE2, kPunctuation8},
    {0x16FE4, 0x16FE4, kNonspacing8 | kMark9},
    {0x16FF0, 0x16FF1, kMark9 | kInert},
    {0x16FF4, 0x16FF6, kNumber17},
    {0x1CCD6, 0x1CCF9, kInert},
    {0x1CF00, 0x1CF2D, kNonspacing8 | kMark9},
    {0x1CF30, 0x1CF46, kNonspacing8 | kMark9},
    {0x1E000, 0x1E006, kNonspacing8},
    {0x1E008, 0x1E018, kNonspacing8},
    {0x1E01B, 0x1E021, kNonspacing8},
    {0x1E023, 0x1E024, kNonspacing8},
    {0x1E026, 0x1E02A, kNonspacing8},
    {0x1E030, 0x1E06D, kInert},
    {0x1E08F, 0x1E08F, kNonspacing8 | kMark9 | kInert},
    {0x1E130, 0x1E136, kNonspacing8 | kMark9 | kInert},
    {0x1E2AE, 0x1E2AE, kNonspacing8 | kMark9 | kInert},
    {0x1E2EC, 0x1E2EF, kNonspacing8 | kMark9 | kInert},
    {0x1E4EC, 0x1E4EF, kNonspacing8 | kMark9 | kInert},
    {0x1E5EE, 0x1E5EF, kNonspacing8 | kMark9 | kInert},
    {0x1E5FF, 0x1E5FF, kPunctuation8},
    {0x1E6E3, 0x1E6E3, kInert},
    {0x1E6E6, 0x1E6E6, kInert},
    {0x1E6EE, 0x1E6EF, kInert},
    {0x1E6F5, 0x1E6F5, kInert},
    {0x1E944, 0x1E94A, kNonspacing8},
    {0x1E95E, 0x1E95F, kPunctuation8},
    {0x1F16C, 0x1F16C, kInert},
    {0x1FBF0, 0x1FBF9, kInert},
};

// By utf8proc_category_t.
constexpr std::string_view kNames[] = {"Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd",
                                       "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm",
                                       "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co"};

// The value of the range that holds c, or `otherwise`.
int find(std::span<const Range> ranges, char32_t c, int otherwise) {
  const auto it = std::partition_point(ranges.begin(), ranges.end(),
                                       [c](const Range& r) { return r.last < c; });
  return it != ranges.end() && it->first <= c ? it->value : otherwise;
}

// Which blocks of 256 code points any range of a table touches: most text touches none.
constexpr std::array<bool, 0x1100> blocks_of(std::span<const Range> ranges) {
  std::array<bool, 0x1100> blocks{};
  for (const Range& r : ranges)
    for (uint32_t b = r.first >> 8; b <= r.last >> 8; ++b) blocks[b] = true;
  return blocks;
}
constexpr auto kCategoryBlocks = blocks_of(kCategories);
constexpr auto kFlipBlocks = blocks_of(kFlips);

}  // namespace

int category16(char32_t c) {
  if (c < 0x110000 && kCategoryBlocks[c >> 8]) {
    const int category = find(kCategories, c, -1);
    if (category >= 0) return category;
  }
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

std::vector<std::pair<char32_t, char32_t>> unsettled_ranges(std::string_view category) {
  std::vector<std::pair<char32_t, char32_t>> ranges;
  for (const Range& r : kCategories) {
    const std::string_view name = kNames[r.value];
    if (name.starts_with(category)) ranges.emplace_back(r.first, r.last);
  }
  return ranges;
}

int flips(char32_t c) { return c < 0x110000 && kFlipBlocks[c >> 8] ? find(kFlips, c, 0) : 0; }

}  // namespace lk::unicode
