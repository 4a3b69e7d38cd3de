// One run of the claims about DPPF inside this program, and what is measured at its end.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "claims/dppf/plan.hpp"
#include "claims/dppf/trained.hpp"
#include "polder/io/json.hpp"

namespace polder_claims::dppf {

/// What all runs need to know and no command line says.
struct surroundings {
  std::string data;     ///< folder of the data sets; empty: where polder-train looks
  std::string commit;   ///< of the sources
  std::string scratch;  ///< a folder of this program's own, for the workers' models
  std::size_t measured_images = 0;
  std::unique_ptr<training_images> images{};  ///< made by the first run that needs it
};

/// Does the run and returns its line. A run that fails because its numbers are not finite any more is a result, too.
[[nodiscard]] polder::io::json run(const job& j, surroundings& around);

/// The workers' valley width after many rounds on a round bowl.
[[nodiscard]] double width_on_quadratic(const job& j);

}  // namespace polder_claims::dppf
