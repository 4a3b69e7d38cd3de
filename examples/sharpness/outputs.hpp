// The files that are written: looked at before anything is measured.
#pragma once

#include "sharpness/options.hpp"

namespace polder_sharpness {

/// Throws usage_error unless every file can be written where it is wanted, the .csv beside a picture among them, no two are
/// one, and none replaces a file that is read.
void check_outputs(const options& o);

}  // namespace polder_sharpness
