#include "util/text.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

TEST_CASE("counts are exact up to four digits, then three significant ones") {
  CHECK(format_count(0) == "0");
  CHECK(format_count(9999) == "9999");
  CHECK(format_count(12'000) == "12.0k");
  CHECK(format_count(123'456) == "123k");
  CHECK(format_count(999'600) == "1.00M");
  CHECK(format_count(1'234'567) == "1.23M");
  CHECK(format_count(UINT64_MAX) == "18447P");
}

TEST_CASE("whole numbers have every digit, in threes") {
  CHECK(format_whole(0) == "0");
  CHECK(format_whole(999) == "999");
  CHECK(format_whole(12'034) == "12,034");
  CHECK(format_whole(1'234'567) == "1,234,567");
}

TEST_CASE("rates keep three digits and say 0 for next to nothing") {
  CHECK(format_rate(0) == "0");
  CHECK(format_rate(0.004) == "0");
  CHECK(format_rate(0.25) == "0.25");
  CHECK(format_rate(84.3) == "84.3");
  CHECK(format_rate(999.4) == "999");
  CHECK(format_rate(1234.4) == "1234");
  CHECK(format_rate(12'000) == "12.0k");
  CHECK(format_rate(-3.1) == "-3.10");
  CHECK(format_change(84) == "+84.0");
  CHECK(format_change(-84) == "-84.0");
  CHECK(format_change(0.001) == "0");
}

TEST_CASE("durations have two units at most") {
  CHECK(format_duration(0.42) == "0.4s");
  CHECK(format_duration(42.4) == "42s");
  CHECK(format_duration(59.6) == "1m00s");
  CHECK(format_duration(192) == "3m12s");
  CHECK(format_duration(7500) == "2h05m");
  CHECK(format_duration(3 * 86400 + 4 * 3600) == "3d04h");
  CHECK(format_duration(-1) == "-");
}

TEST_CASE("short durations in milliseconds") {
  CHECK(format_milliseconds(0.00041) == "0.4ms");
  CHECK(format_milliseconds(0.0124) == "12ms");
  CHECK(format_milliseconds(1.5) == "1.5s");
}

TEST_CASE("bytes are binary units") {
  CHECK(format_bytes(512) == "512B");
  CHECK(format_bytes(12 * 1024) == "12.0KiB");
  CHECK(format_bytes(1610612736) == "1.50GiB");
}

TEST_CASE("percentages do not call a little nothing") {
  CHECK(format_percent(0.01) == "0%");
  CHECK(format_percent(0.1) == "0.1%");
  CHECK(format_percent(12.34) == "12.3%");
  CHECK(format_percent(100) == "100%");
}

TEST_CASE("nouns are counted") {
  CHECK(format_counted(0, "site") == "0 sites");
  CHECK(format_counted(1, "process") == "1 process");
  CHECK(format_counted(12, "process") == "12 processes");
  CHECK(plural(1, "block") == "block");
}

TEST_CASE("time is RFC 3339 in UTC with milliseconds") {
  CHECK(format_time_utc(0) == "1970-01-01T00:00:00.000Z");
  CHECK(format_time_utc(1'795'234'618'123'456'789) == "2026-11-21T04:16:58.123Z");
}

TEST_CASE("bytes that are not UTF-8 become the replacement character") {
  CHECK(to_utf8("gr\xC3\xBC\xC3\x9F"
                "e") ==
        "gr\xC3\xBC\xC3\x9F"
        "e");
  CHECK(to_utf8("a\xFF"
                "b") ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(to_utf8("\xC3") == "\xEF\xBF\xBD");                                  // cut short
  CHECK(to_utf8("\xED\xA0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // surrogate
  CHECK(to_utf8("\xC0\xAF") == "\xEF\xBF\xBD\xEF\xBF\xBD");                  // overlong '/'
  CHECK(to_utf8("\xF0\x9F\x90\x8D") == "\xF0\x9F\x90\x8D");                  // U+1F40D
}

TEST_CASE("a name cannot move the cursor") {
  CHECK(to_printable("a\x1b[2Jb\nc\x7f") == "a?[2Jb?c?");
  CHECK(to_printable("\xC2\x9B"
                     "31m") == "?31m");  // U+009B is ESC [
}

TEST_CASE("base name") {
  CHECK(base_name("/srv/app.py") == "app.py");
  CHECK(base_name("app.py") == "app.py");
  CHECK(base_name("") == "");
}
