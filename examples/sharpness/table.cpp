#include "sharpness/table.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "polder/core/error.hpp"
#include "polder/io/utf8.hpp"

namespace polder_sharpness {
namespace {

using polder::text;

constexpr std::size_t line_width = 100;

/// Letters that are seen: a sign of several bytes is one.
std::size_t width_of(std::string_view word) {
  std::size_t width = 0;
  while (!word.empty()) {
    word.remove_prefix(std::max<std::size_t>(1, polder::io::utf8_length(word)));
    ++width;
  }
  return width;
}
std::string padded(const std::string& word, std::size_t width) {
  return word + std::string(width - std::min(width, width_of(word)), ' ');
}

using column = std::vector<std::string>;  // a head and a cell for each line

std::size_t width_of(const column& cells) {
  std::size_t width = 0;
  for (const std::string& cell : cells) width = std::max(width, width_of(std::string_view(cell)));
  return width;
}

/// Columns side by side, without blanks at the ends of lines.
std::string beside(const std::vector<const column*>& columns) {
  std::string all;
  for (std::size_t i = 0; i < columns.front()->size(); ++i) {
    std::string line;
    for (const column* const c : columns) line += padded((*c)[i], width_of(*c)) + "  ";
    line.erase(line.find_last_not_of(' ') + 1);
    all += line + "\n";
  }
  return all;
}

/// A line for each measure.
std::string upright(const options& o, const row& r) {
  column names{"measure"}, plain{"value"}, filters{"relative to filters"};
  for (const line& l : r.lines) {
    names.push_back(l.name);
    plain.push_back(l.plain);
    filters.push_back(l.filters);
  }
  return o.filtered() ? beside({&names, &plain, &filters}) : beside({&names, &plain});
}

/// A line for each model.
std::string lying(const std::vector<const row*>& rows) {
  column models{"model"};
  for (const row* const r : rows) {
    // What most rows are of need not be said in each.
    const bool usual = r->measured == "the only one" || r->measured == "mean of all workers";
    models.push_back(usual ? r->name : text(r->name, " (", r->measured, ")"));
  }
  std::vector<std::string> names;
  for (const row* const r : rows) {
    for (const line& l : r->lines) {
      if (std::ranges::find(names, l.name) == names.end()) names.push_back(l.name);
    }
  }
  std::vector<column> columns;
  for (const std::string& name : names) {
    column plain{name}, filters{name + ", filters"};
    bool any_plain = false, any_filters = false;
    for (const row* const r : rows) {
      const auto found = std::ranges::find(r->lines, name, &line::name);
      const line l = found != r->lines.end() ? *found : line{};
      plain.push_back(l.plain);
      filters.push_back(l.filters);
      any_plain = any_plain || !l.plain.empty();
      any_filters = any_filters || (!l.filters.empty() && l.filters != "the same");
    }
    if (any_plain) columns.push_back(std::move(plain));
    if (any_filters) columns.push_back(std::move(filters));
  }
  std::string all;
  for (std::size_t i = 0; i < columns.size();) {
    std::vector<const column*> some{&models};
    std::size_t used = width_of(models);
    do {
      used += 2 + width_of(columns[i]);
      some.push_back(&columns[i++]);
    } while (i < columns.size() && used + 2 + width_of(columns[i]) <= line_width);
    all += text(all.empty() ? "" : "\n", beside(some));
  }
  return all;
}

}  // namespace

std::string table(const options& o, const std::vector<const row*>& rows) {
  std::string all;
  if (rows.size() == 1) {
    const row& r = *rows.front();
    const std::string which = r.measured == "the only one" ? "" : text(": ", r.measured);
    all = text(r.name, which, "\n\n", upright(o, r));
  } else {
    all = lying(rows);
  }
  std::string notes;
  for (const row* const r : rows) {
    for (const auto& [measure, reason] : r->skipped) {
      notes += text(measure, rows.size() == 1 ? "" : " of ", rows.size() == 1 ? "" : r->name,
                    ": not measured: ", reason, "\n");
    }
  }
  return text(all, notes.empty() ? "" : "\n", notes);
}

}  // namespace polder_sharpness
