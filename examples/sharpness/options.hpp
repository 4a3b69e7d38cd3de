// What polder-sharpness is asked to do.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polder_sharpness {

/// The models of a run that span the landscape.
struct plane_choice {
  std::vector<std::size_t> workers{0, 1};  // two, or three
  bool mean = true;                        // the third is the mean of all workers
  bool random = false;                     // none of them: random directions
};

/// The values of all options, with their defaults.
struct options {
  std::vector<std::string> inputs;  // files and folders
  bool together = false;            // they are the workers of one run
  std::optional<std::uint64_t> step;
  std::string of = "evaluated";  // or mean
  std::string model;             // empty: what the files say
  std::string dataset;           // the same
  std::string data;              // folder
  std::size_t train_limit = 0;   // 0: all
  std::size_t test_limit = 0;
  std::size_t samples = 1000;
  double label_smoothing = 0.0;
  std::optional<std::uint64_t> initial_seed;  // of the parameters that the run began with

  std::vector<std::string> measures;  // those that are taken
  std::string normalize = "both";     // none, filters, both
  std::size_t top = 1;
  std::size_t products = 100;
  std::size_t draws = 100;
  double tolerance = 1e-3;
  double epsilon = 0.1;
  double sigma = 0.01;
  double gamma = 100.0;
  double rise = 0.1;
  double kappa = 2.0;
  double valley_rise = 0.0;
  std::uint64_t seed = 1;

  std::size_t threads = 0;  // 0: one per processor
  double memory = 1.0;      // GiB for directions, and for what Hessian products keep
  std::string json;
  std::string spectrum;
  std::string landscape;
  std::size_t points = 25;
  std::optional<plane_choice> plane;

  [[nodiscard]] bool wants(std::string_view measure) const {
    return std::ranges::find(measures, measure) != measures.end();
  }
  /// Whether measures are taken of the parameters as they are, and relative to filters.
  [[nodiscard]] bool plain() const { return normalize != "filters"; }
  [[nodiscard]] bool filtered() const { return normalize != "none"; }
};

/// Reads the command line. Prints and leaves with status 0 for --help and --version.
/// Throws usage_error for anything that is not right.
[[nodiscard]] options parse_options(int argc, char** argv);

}  // namespace polder_sharpness
