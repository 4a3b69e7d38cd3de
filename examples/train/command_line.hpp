// A thin layer over CLI11: every option is looked at with our own eyes, so that all errors are one sentence of one form.
// CLI11 itself takes longer to compile than the options of any program, so command_line.cpp alone includes it.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "train/number.hpp"
#include "train/usage_error.hpp"

namespace CLI {
class App;
}

namespace polder_train {

/// "a, b, c"
template <class Items>
[[nodiscard]] std::string joined(const Items& items) {
  std::string list;
  for (const auto& item : items) list += polder::text(list.empty() ? "" : ", ", item);
  return list;
}

/// An interval of numbers and how it is said.
struct interval {
  double low = 0.0;
  double high = std::numeric_limits<double>::infinity();
  bool open_low = false;
  bool open_high = false;
  std::string said = "a number >= 0";

  [[nodiscard]] bool holds(double x) const {
    return std::isfinite(x) && (open_low ? x > low : x >= low) && (open_high ? x < high : x <= high);
  }
};

/// The options of a program. Each writes its value where the program wants it; that place holds the default before.
class command_line {
 public:
  command_line(const std::string& about, const std::string& program, const std::string& version,
               const std::string& more);
  ~command_line();

  /// The heading over the options that follow.
  void group(std::string heading) { group_ = std::move(heading); }

  void number(const std::string& name, double& to, const interval& allowed, const std::string& help) {
    add(name, "X", polder::text(to), help, [=, &to](const std::string& given) {
      const auto value = number_in<double>(given);
      if (!value || !allowed.holds(*value)) reject(name, given, allowed.said);
      to = *value;
    });
  }
  /// A whole number; a default of 0 that is below `least` is not shown, the help says what it means.
  template <class Whole>
  void whole(const std::string& name, Whole& to, Whole least, const std::string& help,
             Whole most = std::numeric_limits<Whole>::max()) {
    add(name, "N", to < least ? "" : polder::text(to), help, [=, &to](const std::string& given) {
      const auto value = number_in<Whole>(given);
      const bool open = most == std::numeric_limits<Whole>::max();
      if (!value || *value < least || *value > most) {
        reject(name, given,
               polder::text("a whole number ", open ? ">= " : "from ", least, open ? "" : " to ",
                            open ? "" : polder::text(most)));
      }
      to = *value;
    });
  }
  /// A text for which accepts(text) holds; `allowed` says which these are.
  template <class Accepts>
  void word(const std::string& name, const std::string& type, std::string& to, const std::string& help,
            const std::string& allowed, Accepts accepts) {
    add(name, type, to, help, [=, &to](const std::string& given) {
      if (!accepts(given)) reject(name, given, allowed);
      to = given;
    });
  }
  /// One of these words.
  void choice(const std::string& name, std::string& to, const std::vector<std::string>& words,
              const std::string& help) {
    word(name, "WORD", to, help, joined(words),
         [words](const std::string& given) { return std::find(words.begin(), words.end(), given) != words.end(); });
  }
  /// Any text that is not empty.
  void any(const std::string& name, const std::string& type, std::string& to, const std::string& help) {
    word(name, type, to, help, "not empty", [](const std::string& given) { return !given.empty(); });
  }

  /// A word alone that switches something on.
  void flag(const std::string& name, bool& to, const std::string& help);
  /// The arguments that are no options, one or more.
  void operands(const std::string& name, std::vector<std::string>& to, const std::string& help);

  /// Reads the arguments. Prints and leaves for --help and --version. Throws usage_error.
  void parse(int argc, char** argv);

  [[nodiscard]] bool given(const std::string& name) const;
  [[nodiscard]] std::string value(const std::string& name) const;

 private:
  [[noreturn]] static void reject(const std::string& name, const std::string& given, const std::string& allowed) {
    polder::fail<usage_error>(name, " ", given.empty() ? "''" : given, ": allowed: ", allowed);
  }

  void add(const std::string& name, const std::string& type, const std::string& shown, const std::string& help,
           std::function<void(const std::string&)> take);

  std::unique_ptr<CLI::App> app_;
  std::string group_;
};

}  // namespace polder_train
