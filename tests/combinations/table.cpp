// Prints docs/reference/combinations.md: what the library says of each part in each place.
#include <algorithm>
#include <cstddef>
#include <iostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "combinations/parts.hpp"
#include "combinations/refusals.hpp"
#include "combinations/uses.hpp"
#include "polder/mixing/averaged_in_time.hpp"
#include "polder/mixing/elastic_center.hpp"
#include "polder/mixing/gradient_weighted.hpp"
#include "polder/mixing/leader.hpp"
#include "polder/mixing/outer.hpp"
#include "polder/update/all_reduce_mean.hpp"
#include "polder/update/power_sgd.hpp"
#include "support/quadratics.hpp"

namespace {

using namespace polder;
using namespace polder::test;

/// Footnotes in the order of their numbers: the compiler's, then what a worker says.
class footnotes {
 public:
  static std::size_t number_of(const compile_time_refusal& refusal) {
    const auto all = compile_time_refusals();
    return static_cast<std::size_t>(std::find(all.begin(), all.end(), &refusal) - all.begin()) + 1;
  }
  static std::string cell(const compile_time_refusal& refusal) { return text(number_of(refusal)); }
  std::string cell(const std::string& sentence) {
    if (sentence.empty()) return "yes";
    auto place = std::find(said_.begin(), said_.end(), sentence);
    if (place == said_.end()) place = said_.insert(said_.end(), sentence);
    return text(compile_time_refusals().size() + 1 + static_cast<std::size_t>(place - said_.begin()));
  }
  void print() const {
    std::size_t number = 0;
    for (const auto* refusal : compile_time_refusals()) {
      std::cout << ++number << ". " << refusal->sentence << ":";
      for (const auto& name : refusal->cases) {
        std::cout << " [" << name << "](../../tests/must_not_compile/" << name << ".cpp)";
      }
      std::cout << "\n";
    }
    for (const auto& sentence : said_) std::cout << ++number << ". " << sentence << "\n";
  }

 private:
  std::vector<std::string> said_;
};

void print_row(const std::vector<std::string>& cells) {
  for (const auto& cell : cells) std::cout << "| " << cell << " ";
  std::cout << "|\n";
}
void print_head(const std::vector<std::string>& cells) {
  print_row(cells);
  print_row(std::vector<std::string>(cells.size(), "---"));
}

template <class Part>
inline constexpr bool a_gradient_rule = detail::gradient_rule<Part, any_context, quadratics::objective>;

/// The compressor's values count in the loops, and inside error_feedback on the way back of cross-gradients.
template <class Part>
std::string in_loop(footnotes& notes, const Part& part, const char* loop, const compile_time_refusal& other) {
  if constexpr (fits<choco, Part>) {
    return notes.cell(refusal_of(part, loop));
  } else {
    return notes.cell(detail::is_error_feedback<Part> ? refused::feedback_in_loop : other);
  }
}
template <class Part>
std::string on_the_way_back(footnotes& notes, const Part& part) {
  if constexpr (compressor<Part, double> || std::is_same_v<Part, uncompressed>) {
    return notes.cell(rule_refuses(cross_gradients<plain, Part>{.compressor = part}));
  } else {
    return notes.cell(refused::back_in_cross_gradients);
  }
}

/// One row: where the part may stand.
template <class Part>
void print_places(footnotes& notes, const std::string& name, const Part& part) {
  const auto mark = [&](bool legal, const compile_time_refusal& refusal) {
    return legal ? std::string("yes") : notes.cell(refusal);
  };
  print_row({"`" + name + "`", mark(a_gradient_rule<Part>, refused::as_gradient),
             mark(detail::update_rule<Part, any_context>, refused::as_update),
             mark(detail::mixing_rule<Part, any_context>, refused::as_mixing),
             mark(fits<cross_gradients, Part>, refused::in_cross_gradients), on_the_way_back(notes, part),
             mark(fits<chain, Part>, detail::is_chain<Part> ? refused::chain_in_chain : refused::in_chain),
             mark(fits<every, Part>, detail::is_every<Part> ? refused::every_in_every : refused::in_every),
             in_loop(notes, part, "choco", refused::in_choco),
             in_loop(notes, part, "choco_before_step", refused::in_choco_before_step),
             in_loop(notes, part, "deep_squeeze", refused::in_deep_squeeze),
             mark(fits<error_feedback, Part>, refused::in_error_feedback)});
}
void print_all_places(footnotes& notes) {
  print_head({"", "gradient", "update", "mixing", "in `cross_gradients`, first", "second", "in `chain`", "in `every`",
              "in `choco`", "in `choco_before_step`", "in `deep_squeeze`", "in `error_feedback`"});
  print_places(notes, "plain", plain{});
  print_places(notes, "sam", sam{});
  print_places(notes, "asam", asam{});
  print_places(notes, "cross_gradients{…}", cross_gradients{});
  print_places(notes, "chain{…}", chain{momentum{}});
  print_places(notes, "clip_norm", clip_norm{});
  print_places(notes, "weight_decay", weight_decay{});
  print_places(notes, "momentum", momentum{});
  print_places(notes, "nesterov", nesterov{});
  print_places(notes, "quasi_global_momentum", quasi_global_momentum{});
  print_places(notes, "all_reduce_mean", all_reduce_mean{});
  print_places(notes, "power_sgd", power_sgd{});
  print_places(notes, "none", none{});
  print_places(notes, "gossip", gossip{});
  print_places(notes, "choco{…}", choco{sign{}});
  print_places(notes, "choco_before_step{…}", choco_before_step{sign{}});
  print_places(notes, "deep_squeeze{…}", deep_squeeze{sign{}});
  print_places(notes, "average", average{});
  print_places(notes, "pull_push", pull_push{});
  print_places(notes, "pull_push_toward<elastic_center>", pull_push_toward<elastic_center>{});
  print_places(notes, "pull_push_toward<leader>", pull_push_toward<leader>{});
  print_places(notes, "pull_push_toward<gradient_weighted>", pull_push_toward<gradient_weighted>{});
  print_places(notes, "outer{…}", outer{diloco{}});
  print_places(notes, "averaged_in_time{…}", averaged_in_time{ema{}, gossip{}});
  print_places(notes, "every{tau, …}", every{2, gossip{}});
  for_each_part(compressors{}, [&](auto type) {
    for (const auto& [name, k] : uses_of(type)) print_places(notes, name, k);
  });
  print_places(notes, "error_feedback{qsgd}", error_feedback{qsgd{}});
  print_places(notes, "uncompressed", uncompressed{});
}

/// Rows of a table without those that say the same as one before of the same kind.
struct row {
  std::string kind;
  std::vector<std::string> cells;  // the first is the name
};
std::vector<row> one_of_each(const std::vector<row>& rows) {
  std::vector<row> kept;
  for (const row& r : rows) {
    const bool known = std::any_of(kept.begin(), kept.end(), [&](const row& k) {
      return k.kind == r.kind && std::equal(k.cells.begin() + 1, k.cells.end(), r.cells.begin() + 1, r.cells.end());
    });
    if (!known) kept.push_back(r);
  }
  return kept;
}

/// A name as code, with dots for the part inside it.
std::string with_dots(std::string name, const std::string& part) {
  const auto place = name.find(part);
  return "`" + (place == name.npos ? name : name.replace(place, part.size(), "…")) + "`";
}

/// One row for each use of a mixing rule, one cell for each of a gradient rule.
void print_gradient_and_mixing(footnotes& notes) {
  const std::string refusal = worker_refuses(cross_gradients<plain>{.own = self_point::mixed}, gossip{});
  std::vector<row> columns;
  for_each_part(kinds_of_gradient{}, [&](auto gradient) {
    for (const auto& g : uses_of(gradient)) {
      const bool crossed = g.formula.crossed;
      row column{crossed ? "crossed" : g.name, {crossed ? with_dots(g.name, "plain") : "`" + g.name + "`"}};
      for_each_part(kinds_of_mixing{}, [&](auto mixing) {
        for (const auto& m : uses_of(mixing)) {
          column.cells.push_back(notes.cell(together(g.formula, m.formula) ? std::string() : refusal));
        }
      });
      columns.push_back(column);
    }
  });
  columns = one_of_each(columns);

  std::vector<std::string> head{""};
  for (const row& column : columns) head.push_back(column.cells.front());
  std::vector<row> rows;
  for_each_part(kinds_of_mixing{}, [&](auto mixing) {
    for (const auto& m : uses_of(mixing)) {
      row r{text(uses_of(mixing).front().name, m.formula.tau), {with_dots(m.name, "sign")}};
      for (const row& column : columns) r.cells.push_back(column.cells[rows.size() + 1]);
      rows.push_back(r);
    }
  });
  print_head(head);
  for (const row& r : one_of_each(rows)) print_row(r.cells);
}

void print_values_of_cross_gradients(footnotes& notes) {
  print_head({"", "why not"});
  const auto values = [&](const std::string& name, const auto& part) {
    print_row({"`cross_gradients{" + name + "}`", notes.cell(rule_refuses(part))});
  };
  values("plain, sign, .data_share = 0", cross_gradients<plain, sign>{.data_share = 0.0});
  values("plain, .compress_own = true", cross_gradients<plain>{.compress_own = true});
  values("plain, .data_share = 0.3, .by = quadratic_program",
         cross_gradients<plain>{.data_share = 0.3, .by = cross_aggregate::quadratic_program});
}

/// The combinations that the tests run, with all values.
std::size_t count_all() {
  std::size_t count = 0;
  for_each_part(point_gradients{} + crossed_gradients{} + compressed_gradients{}, [&](auto gradient) {
    for_each_part(updates{}, [&](auto update) {
      for_each_part(mixings{}, [&](auto mixing) {
        for (const auto& g : uses_of(gradient)) {
          for (const auto& m : uses_of(mixing)) {
            if (together(g.formula, m.formula)) count += uses_of(update, {}).size();
          }
        }
      });
    });
  });
  return count;
}

}  // namespace

int main() {
  footnotes notes;
  std::cout
      << "<!-- Printed by polder_combinations_table (tests/combinations/table.cpp): do not edit. -->\n"
         "# Combinations\n\n"
         "Which parts go together: as the three words of `algorithm{gradient, update, mixing}`, and inside other\n"
         "parts. A number is the reason why not, below. All else goes together. The tests run the parts of the table\n"
         "of gradient and mixing, with all update rules but `all_reduce_mean` and `power_sgd`, in\n"
      << count_all()
      << " combinations of values, on a ring and on an irregular graph, and compare each with its equations.\n\n"
         "The other parts are compared with theirs in the recipes that have them, not in every combination:\n"
         "`all_reduce_mean`, `outer` and `averaged_in_time` in [rounds_test](../../tests/recipes/rounds_test.cpp), "
         "the\n"
         "synchronization rules of `every` there and in "
         "[synchronization_test](../../tests/mixing/synchronization_test.cpp),\n"
         "the pulls of `pull_push_toward` in [pulls_test](../../tests/recipes/pulls_test.cpp), `power_sgd` in\n"
         "[power_sgd_test](../../tests/recipes/power_sgd_test.cpp).\n\n"
         "## Where a part may stand\n\n"
         "`{…}` is any part that may stand there. The second parameter of `cross_gradients` is what the gradients go\n"
         "back in.\n\n";
  print_all_places(notes);
  std::cout << "\nOnly one rule of a chain may observe the mixing, which `quasi_global_momentum` does: "
            << footnotes::number_of(refused::two_observers)
            << ".\n\n"
               "## Gradient and mixing\n\n"
               "A row or column stands for all values of its rule that no other names, and `{…}` for all that may be "
               "inside.\n"
               "Every update rule goes with every gradient rule and every mixing rule. `all_reduce_mean` and "
               "`power_sgd` are\n"
               "meant for `none`, with which workers that start equal stay equal.\n\n";
  print_gradient_and_mixing(notes);
  std::cout << "\n## Values of cross-gradients\n\n";
  print_values_of_cross_gradients(notes);
  std::cout << "\n## Why not\n\n"
               "First the compiler's sentences, each with a program that it refuses; then what the worker says in a\n"
               "`config_error` when it is made or makes its first step.\n\n";
  notes.print();
}
