// What runs were done on.
#pragma once

#include <fstream>
#include <string>
#include <thread>

#include "polder/core/error.hpp"

namespace polder_claims {

/// What /proc/cpuinfo calls the processor, and how many there are.
inline std::string machine() {
  std::ifstream file("/proc/cpuinfo");
  std::string model = "unknown processor";
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) model = line.substr(line.find(':') + 2);
  }
  return polder::text(model, ", ", std::thread::hardware_concurrency(), " processors");
}

}  // namespace polder_claims
