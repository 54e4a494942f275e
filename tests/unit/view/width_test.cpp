#include "view/width.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

TEST_CASE("width counts columns, not bytes or characters") {
  CHECK(width_of("abc") == 3);
  CHECK(width_of("é") == 1);
  CHECK(width_of("処理") == 4);
  CHECK(width_of("e\xCC\x81") == 1);  // combining accent
  CHECK(width_of("\xff") == 1);       // shown as U+FFFD
  CHECK(decode_utf8("é処😀") == U"é処😀");
  std::string text;
  for (const char32_t character : U"é処😀") {
    if (character != 0) append_utf8(text, character);
  }
  CHECK(text == "é処😀");
}

TEST_CASE("cutting keeps the telling end and never exceeds the width") {
  CHECK(cut_left("shop.cart.refresh", 12) == "...t.refresh");
  CHECK(cut_right("/srv/app.py:31", 9) == "/srv/a...");
  CHECK(cut_left("処理処理処理", 8) == "...処理");  // half a character is none
  CHECK(cut_left("abc", 3) == "abc");
  CHECK(cut_left("abcd", 2) == "cd");
  CHECK(cut_right("abcd", 0).empty());
  CHECK(cut_left("abcd", -1).empty());
  CHECK(align_right("7", 3) == "  7");
  CHECK(align_left("処", 3) == "処 ");
}

TEST_CASE("wrap breaks at blanks and cuts what does not fit") {
  using Lines = std::vector<std::string>;
  CHECK(wrap("one two three", 8, 3) == Lines{"one two", "three"});
  CHECK(wrap("one two three four", 8, 2) == Lines{"one two", "three..."});
  CHECK(wrap("unbreakable", 6, 2) == Lines{"unb..."});
  CHECK(wrap("", 6, 2).empty());
  CHECK(wrap("text", 0, 2).empty());
}
