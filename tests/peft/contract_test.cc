#include <doctest/doctest.h>

#include <set>

#include "tests/peft/contract.h"

namespace lk {
namespace {

TEST_CASE("every registered method has a row") {
  std::set<std::string> with_row;
  for (const test::ContractRow& row : test::contract_rows()) with_row.insert(row.method);
  for (const MethodInfo& m : methods()) {
    CAPTURE(m.name);
    CHECK(with_row.count(m.name) == 1);
  }
}

TEST_CASE("every method keeps the contract") {
  for (const test::ContractRow& row : test::contract_rows()) test::check_contract(row);
}

}  // namespace
}  // namespace lk
