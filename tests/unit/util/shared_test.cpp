#include "util/shared.h"

#include <catch2/catch.hpp>
#include <string>

using namespace asyncleak;

TEST_CASE("a copy shares until one of them changes") {
  Shared<std::string> one;
  CHECK_FALSE(one);
  one.emplace("held");
  const Shared<std::string> other = one;
  CHECK(&*std::as_const(one) == &*other);
  one->append(" by a list");
  CHECK(*std::as_const(one) == "held by a list");
  CHECK(*other == "held");
}

TEST_CASE("a list keeps alive what it is a part of") {
  struct Owner {
    std::vector<int> numbers{1, 2, 3};
  };
  SharedList<int> list;
  CHECK(list.empty());
  {
    Shared<Owner> owner{Owner{}};
    list = {owner.owner(), std::as_const(owner)->numbers};
  }
  CHECK(list.size() == 3);
  CHECK(list.get() == std::vector<int>{1, 2, 3});
}
