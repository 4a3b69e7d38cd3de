// One run of polder-train inside this program, and what is measured at its end.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "claims/flatness.hpp"
#include "claims/plan.hpp"
#include "polder/io/json.hpp"

namespace polder_claims {

/// What all runs need to know and no command line says.
struct surroundings {
  std::string data;    ///< folder of the data sets; empty: where polder-train looks
  std::string commit;  ///< of the sources
  std::size_t flatness_images = 2000;
  std::unique_ptr<training_loss> flatness{};  ///< made by the first run that needs it
};

/// Does the run and returns its line. A run that fails because its numbers are not finite any more is a result, too.
[[nodiscard]] polder::io::json run(const job& j, surroundings& around);

}  // namespace polder_claims
