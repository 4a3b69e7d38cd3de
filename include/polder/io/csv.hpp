// polder — tables of numbers as text, separated by ',', ';' or tabs.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/file.hpp"

namespace polder::io {

/// A table of numbers: `rows` times `columns`, row-major.
template <std::floating_point T>
struct csv_table {
  std::vector<std::string> header;  ///< the names of the columns; empty if the text has none
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<T> values;

  [[nodiscard]] std::span<const T> row(std::size_t i) const { return std::span(values).subspan(i * columns, columns); }
};

namespace detail {

[[nodiscard]] inline std::string_view trimmed(std::string_view field) {
  const std::size_t first = field.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return field.substr(first, field.find_last_not_of(" \t\r") - first + 1);
}

/// Whether the whole field is a number; its value goes to `number`.
template <std::floating_point T>
[[nodiscard]] bool parse_number(std::string_view field, T& number) {
  if (field.size() > 1 && field.front() == '+' && field[1] != '-') field.remove_prefix(1);
  const auto [end, status] = std::from_chars(field.data(), field.data() + field.size(), number);
  return status == std::errc{} && end == field.data() + field.size();
}

/// The next piece of `rest` up to `separator`, which is taken away; `more` says whether there was a separator.
[[nodiscard]] inline std::string_view next_piece(std::string_view& rest, char separator, bool& more) {
  const std::size_t end = rest.find(separator);
  more = end != std::string_view::npos;
  const std::string_view piece = rest.substr(0, end);
  rest.remove_prefix(more ? end + 1 : rest.size());
  return piece;
}

}  // namespace detail

/// The table that a text holds; `name` is what errors call it.
///
/// The separator is the first of ',', ';' and tab that the first line has. The first line is a header if none of its
/// fields is a number. Blank lines, spaces around fields, \r\n and a byte order mark are passed over. Errors
/// (data_error, with line and field): a field that is no finite number, a line with another number of fields than the
/// first, no line of numbers at all.
template <std::floating_point T = double>
[[nodiscard]] csv_table<T> parse_csv(byte_view content, std::string_view name) {
  csv_table<T> table;
  std::string_view rest = as_text(content);
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  char separator = '\0';
  std::vector<T> line_values;
  bool more_lines = true;
  for (std::size_t line_number = 1; more_lines && !rest.empty(); ++line_number) {
    std::string_view line = detail::next_piece(rest, '\n', more_lines);
    if (detail::trimmed(line).empty()) continue;
    const bool first = table.columns == 0;
    if (first) {
      const auto has = [line](char c) { return line.find(c) != std::string_view::npos; };
      separator = has(',') ? ',' : has(';') ? ';' : '\t';
    }
    std::size_t fields = 0;
    std::size_t numbers = 0;
    std::string_view first_bad;
    std::size_t first_bad_field = 0;
    line_values.clear();
    const std::string_view whole_line = line;
    for (bool more = true; more;) {
      const std::string_view field = detail::trimmed(detail::next_piece(line, separator, more));
      T value{};
      ++fields;
      if (detail::parse_number(field, value) && std::isfinite(value)) {
        ++numbers;
        line_values.push_back(value);
      } else if (first_bad_field == 0) {
        first_bad = field;
        first_bad_field = fields;
      }
    }
    if (first) table.columns = fields;
    require<data_error>(fields == table.columns, "'", name, "' line ", line_number, " has ", fields,
                        " fields, the first line has ", table.columns);
    if (first && numbers == 0) {
      std::string_view names = whole_line;
      for (bool more = true; more;) {
        table.header.emplace_back(detail::trimmed(detail::next_piece(names, separator, more)));
      }
      continue;
    }
    require<data_error>(numbers == fields, "'", name, "' line ", line_number, ", field ", first_bad_field, ": '",
                        first_bad.substr(0, 40), "' is not a finite number");
    table.values.insert(table.values.end(), line_values.begin(), line_values.end());
    ++table.rows;
  }
  require<data_error>(table.rows > 0, "'", name, "' holds no line of numbers");
  return table;
}

/// Reads a file of numbers; errors as parse_csv and read_file.
template <std::floating_point T = double>
[[nodiscard]] csv_table<T> read_csv(const std::string& path, std::size_t limit = default_size_limit) {
  return parse_csv<T>(read_file(path, limit), path);
}

}  // namespace polder::io
