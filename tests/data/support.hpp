// What the tests of data sets share: where the data lies, and small sets that are made up.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "io/support.hpp"
#include "polder/data/dataset.hpp"

namespace polder::test {

/// The folder of the shared data sets.
inline std::string data_folder() {
  const char* const given = std::getenv("POLDER_DATA");
  if (given != nullptr && *given != '\0') return given;
#ifdef POLDER_SOURCE_DIR
  return POLDER_SOURCE_DIR "/../shared/data";
#else
  return "../shared/data";
#endif
}

/// The folder of the digits that come with the library.
inline std::string shipped_folder() {
#ifdef POLDER_SOURCE_DIR
  return POLDER_SOURCE_DIR "/examples/data";
#else
  return "examples/data";
#endif
}

/// `count` images of one pixel, their own index, with labels 0 .. classes − 1 in turn.
inline data::dataset numbered(std::size_t count, std::size_t classes) {
  data::dataset set;
  set.name = "numbered";
  set.shape = {1, 1, 1};
  set.classes = classes;
  std::vector<float> pixels;
  for (std::size_t i = 0; i < count; ++i) {
    set.labels.push_back(static_cast<std::int32_t>(i % classes));
    pixels.push_back(static_cast<float>(i));
  }
  set.pixels = std::move(pixels);
  return set;
}

}  // namespace polder::test
