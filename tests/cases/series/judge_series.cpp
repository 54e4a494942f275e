// Judges every series and prints the tables of docs/judgement.md; or more of them, or one, refresh by refresh.
#include "tables.h"

#include <fmt/format.h>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>

namespace asyncleak::series {
namespace {

void print_row(double watched_s, const SiteRow& row) {
  fmt::print("{:7.2f} s {:7} {:7} of {:7} {:8.1f}/min {:8} {}\n", watched_s, row.identity->preexisting ? "elders" : "",
             row.outstanding, row.created_total.value_or(0), row.growth_per_min.value_or(0),
             name_of(worst_verdict(row)), row.confidence ? fmt::format("{:.3f}", *row.confidence) : "");
}

int trace(std::string_view family, int number) {
  for (const Series& series : all_series(100)) {
    if (series.family->name != family || series.number != number) continue;
    (void)watch(series, {}, [](const Report& report) {
      for (const SiteRow& row : report.sites) print_row(report.watched_s, row);
    });
    return 0;
  }
  fmt::print(stderr, "judge_series: no such series\n");
  return 2;
}

// Series that neither half has, to see what the halves are too small to show.
int more(int rounds) {
  const auto outcomes = judge_all({}, rounds);
  print_details(std::cout, outcomes);
  print_tables(std::cout, outcomes);
  return 0;
}

// Into FILE, between its two markers.
int write(const char* path) {
  std::ifstream in(path);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const std::size_t begin_mark = text.find("<!-- series:begin"), end = text.find("<!-- series:end -->");
  const std::size_t begin = begin_mark == std::string::npos ? begin_mark : text.find('\n', begin_mark);
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    fmt::print(stderr, "judge_series: {} has no series markers\n", path);
    return 2;
  }
  std::ostringstream tables;
  print_tables(tables, judge_all({}));
  print_roc(tables, scores_of_all());
  std::ofstream(path) << text.substr(0, begin) << "\n\n" << tables.str() << "\n" << text.substr(end);
  return 0;
}

}  // namespace
}  // namespace asyncleak::series

int main(int argc, char** argv) {
  using namespace asyncleak::series;
  const std::string_view option = argc > 1 ? argv[1] : "";
  if (option == "--trace" && argc == 4) return trace(argv[2], std::atoi(argv[3]));
  if (option == "--write" && argc == 3) return write(argv[2]);
  if (option == "--rounds" && argc == 3) return more(std::atoi(argv[2]));
  if (!option.empty() && option != "--details") {
    fmt::print(stderr, "usage: judge_series [--details | --rounds N | --write FILE | --trace FAMILY NUMBER]\n");
    return 2;
  }
  const auto outcomes = judge_all({});
  if (option == "--details") print_details(std::cout, outcomes);
  print_tables(std::cout, outcomes);
  print_roc(std::cout, scores_of_all());
  return 0;
}
