// A command line of polder-train as these programs run it.
#pragma once

#include <string>
#include <vector>

#include "train/options.hpp"

namespace polder_claims {

/// The command line. Where the data lie is not part of it: that differs between machines.
[[nodiscard]] inline std::string command_of(const std::vector<std::string>& arguments) {
  std::string line = "polder-train";
  for (const std::string& argument : arguments) line += " " + argument;
  return line;
}

/// What polder-train makes of the arguments, for workers in this process.
[[nodiscard]] inline polder_train::options options_of(const std::vector<std::string>& arguments,
                                                      const std::string& data) {
  std::vector<std::string> words{"polder-train"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  if (!data.empty()) words.insert(words.end(), {"--data", data});
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  polder_train::options o = polder_train::parse_options(static_cast<int>(pointers.size()), pointers.data());
  o.settle_workers(1);
  o.deadline = 1e6;  // a set that was stopped for an hour goes on
  return o;
}

}  // namespace polder_claims
