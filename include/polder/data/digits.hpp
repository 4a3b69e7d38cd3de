// polder — the 8x8 handwritten digits of the UCI repository: 65 whole numbers a line, 64 pixels of 0 to 16, then the label.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/data/dataset.hpp"
#include "polder/io/file.hpp"

namespace polder::data {

/// The digits in an (unpacked) text; `name` is what errors call it. Errors: data_error with line and field.
[[nodiscard]] inline dataset parse_digits(io::byte_view content, std::string name) {
  constexpr unsigned pixels_per_image = 64;
  constexpr unsigned greatest_pixel = 16;
  constexpr unsigned greatest_label = 9;
  std::vector<std::uint8_t> pixels;
  dataset result;
  std::string_view rest = io::as_text(content);
  for (std::size_t line_number = 1; !rest.empty(); ++line_number) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const auto expect = [&](bool condition, const auto&... pieces) {
      require<data_error>(condition, "'", name, "' line ", line_number, ": ", pieces...);
    };
    const char* at = line.data();
    const char* const stop = at + line.size();
    for (unsigned field = 0; field <= pixels_per_image; ++field) {
      unsigned value = 0;
      const bool is_label = field == pixels_per_image;
      const auto [next, status] = std::from_chars(at, stop, value);
      expect(status == std::errc{}, "field ", field + 1, " of 65 is missing or no whole number");
      expect(value <= (is_label ? greatest_label : greatest_pixel), is_label ? "label " : "pixel ", value, " is above ",
             is_label ? greatest_label : greatest_pixel);
      expect(is_label ? next == stop : next != stop && *next == ',',
             "expected 65 numbers with commas between them, "
             "found something else behind field ",
             field + 1);
      if (is_label) {
        result.labels.push_back(static_cast<std::int32_t>(value));
      } else {
        pixels.push_back(static_cast<std::uint8_t>(value));
        at = next + 1;
      }
    }
  }
  require<data_error>(!result.labels.empty(), "'", name, "' is empty: expected lines of 65 whole numbers");
  result.name = std::move(name);
  result.shape = {1, 8, 8};
  result.classes = greatest_label + 1;
  result.pixels = std::move(pixels);
  result.scale = 1.0 / greatest_pixel;
  check(result);
  return result;
}

}  // namespace polder::data
