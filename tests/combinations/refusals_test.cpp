// What does not go together is refused, by the compiler or by the worker, and with the sentence that the table has.
#include "combinations/refusals.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "combinations/parts.hpp"
#include "combinations/uses.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/random.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using namespace polder::test;

const std::filesystem::path source = POLDER_SOURCE_DIR;

std::string first_line_of_case(std::string_view name) {
  std::ifstream file(source / "tests/must_not_compile" / (std::string(name) + ".cpp"));
  std::string line;
  std::getline(file, line);
  return line;
}

TEST_CASE("each sentence of the compiler is the one that a case of must_not_compile expects, whole") {
  for (const auto* refusal : compile_time_refusals()) {
    for (const auto& name : refusal->cases) {
      CHECK(first_line_of_case(name) == "// expect: " + std::string(refusal->sentence));
    }
  }
}

TEST_CASE("every case of must_not_compile about parts has its place in the table") {
  std::ifstream file(source / "docs/reference/combinations.md");
  const std::string table(std::istreambuf_iterator<char>(file), {});
  std::size_t cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source / "tests/must_not_compile")) {
    const std::string name = entry.path().stem().string();
    if (!std::regex_search(name, std::regex("^wrong_|_in_|^chain_"))) continue;
    ++cases;
    INFO(name);
    CHECK(table.find("/" + name + ".cpp") != std::string::npos);
  }
  CHECK(cases > 10);
}

TEST_CASE("a worker refuses what the formulas say makes no step, and only that") {
  std::size_t refusals = 0;
  for_each_part(kinds_of_gradient{}, [&](auto gradient) {
    for_each_part(kinds_of_mixing{}, [&](auto mixing) {
      for (const auto& g : uses_of(gradient)) {
        for (const auto& m : uses_of(mixing)) {
          const std::string said = worker_refuses(g.part, m.part);
          INFO(g.name << ", " << m.name);
          if (together(g.formula, m.formula)) {
            CHECK(said.empty());
          } else {
            CHECK_THAT(said, Catch::Contains("needs a rule that mixes the parameters before the step, in every step"));
            ++refusals;
          }
        }
      }
    });
  });
  CHECK(refusals > 0);
}

TEST_CASE("cross_gradients refuses values that do not go together") {
  using back = cross_gradients<plain, error_feedback<qsgd>>;
  CHECK_THAT(rule_refuses(back{}), Catch::Contains("the compressor is unbiased"));
  CHECK(rule_refuses(back{.compressor = {qsgd{.scale = scaling::contraction}}}).empty());
  CHECK_THAT(rule_refuses(cross_gradients<plain, sign>{.data_share = 0.0}), Catch::Contains("nothing is sent back"));
  CHECK_THAT(rule_refuses(cross_gradients<>{.compress_own = true}), Catch::Contains("there is no compressor"));
  CHECK_THAT(rule_refuses(cross_gradients<>{.data_share = 0.5, .by = cross_aggregate::quadratic_program}),
             Catch::Contains("takes data-variant gradients only"));
}

/// How far a vector of 200 numbers is from its copy after 50 rounds of copy <- copy + C(x - copy).
template <class K>
double distance_after_fifty(const K& k) {
  layout tensors;
  tensors.add("x", {200});
  random_stream random({5, purpose::test});
  std::vector<double> x(200), copy(200), difference(200), q(200);
  for (double& number : x) number = random.normal();
  auto state = k.template init<double>(tensors);
  std::vector<std::byte> wire(k.template max_bytes<double>(tensors));
  for (std::uint64_t t = 0; t < 50; ++t) {
    for (std::size_t i = 0; i < 200; ++i) difference[i] = x[i] - copy[i];
    k.template compress<double>(state, difference, tensors, {.step = t}, wire);
    k.template decompress<double>(wire, tensors, q);
    for (std::size_t i = 0; i < 200; ++i) copy[i] += q[i];
  }
  double square = 0.0;
  for (std::size_t i = 0; i < 200; ++i) square += (x[i] - copy[i]) * (x[i] - copy[i]);
  return std::sqrt(square);
}

TEST_CASE("why choco refuses error feedback: an error that is sent twice grows") {
  CHECK(distance_after_fifty(top_k{.keep = 0.1}) < 1e-6);  // nothing is left after ten messages but float32's rounding
  CHECK(distance_after_fifty(error_feedback{top_k{.keep = 0.1}}) > 1000.0);
}

}  // namespace
