// The pictures: density of eigenvalues, loss on a plane.
#pragma once

#include <string>
#include <vector>

#include "sharpness/measures.hpp"
#include "sharpness/network.hpp"
#include "sharpness/options.hpp"

namespace polder_sharpness {

/// The name with .csv in place of .svg: where a picture's numbers go.
[[nodiscard]] std::string csv_beside(const std::string& picture);

/// Writes the spectra of all rows.
void draw_spectra(const options& o, const std::vector<measurement*>& rows);

/// Computes and writes the landscape around a row's model, or through workers of its run and their mean (--plane). Costs
/// points^2 forward passes.
void draw_landscape(const options& o, const network& f, const measurement& of);

}  // namespace polder_sharpness
