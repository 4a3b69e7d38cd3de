// polder — a report as one HTML file that needs nothing else: no network, no script, no other file.
//
//     io::html_report report("Two runs");
//     report.paragraph("What was done.");
//     report.table({"method", "accuracy"}, {{"QGM", "0.851"}});
//     report.figure(io::svg(plot), "Test accuracy over the epochs.");
//     report.write("report.html");
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/csv.hpp"
#include "polder/io/file.hpp"
#include "polder/io/markup.hpp"

namespace polder::io {

/// Builds a page from top to bottom. All texts are escaped; only the pictures given to `figure` are taken as they are.
class html_report {
 public:
  explicit html_report(std::string_view title) : title_(title) {}

  html_report& heading(std::string_view text) { return put("h2", text); }
  html_report& subheading(std::string_view text) { return put("h3", text); }
  html_report& paragraph(std::string_view text) { return put("p", text); }
  /// A remark that stands out.
  html_report& note(std::string_view text) {
    body_ += polder::text("<p class=\"note\">", escape_markup(text), "</p>\n");
    return *this;
  }
  /// A command or program text, kept as it is.
  html_report& code(std::string_view text) {
    body_ += polder::text("<pre><code>", escape_markup(text), "</code></pre>\n");
    return *this;
  }
  html_report& list(std::span<const std::string> items) {
    body_ += "<ul>\n";
    for (const std::string& item : items) body_ += polder::text("<li>", escape_markup(item), "</li>\n");
    body_ += "</ul>\n";
    return *this;
  }

  /// A table. Columns whose cells are all numbers (or "–") stand to the right, with digits of one width.
  /// Errors: config_error for a row of another length than the headers.
  html_report& table(const std::vector<std::string>& headers, const std::vector<std::vector<std::string>>& rows,
                     std::string_view caption = {}) {
    std::vector<const char*> cell(headers.size(), "<td class=\"number\">");
    for (const auto& row : rows) {
      require<config_error>(row.size() == headers.size(), "a row of a table has ", row.size(), " cells for ",
                            headers.size(), " columns");
      for (std::size_t i = 0; i < row.size(); ++i) {
        if (!reads_as_number(row[i])) cell[i] = "<td>";
      }
    }
    body_ += "<div class=\"wide\"><table>\n";
    if (!caption.empty()) body_ += polder::text("<caption>", escape_markup(caption), "</caption>\n");
    body_ += "<thead><tr>";
    for (std::size_t i = 0; i < headers.size(); ++i) {
      const bool number = std::string_view(cell[i]) != "<td>" && !rows.empty();
      body_ +=
          polder::text("<th scope=\"col\"", number ? " class=\"number\">" : ">", escape_markup(headers[i]), "</th>");
    }
    body_ += "</tr></thead>\n<tbody>\n";
    for (const auto& row : rows) {
      body_ += "<tr>";
      for (std::size_t i = 0; i < row.size(); ++i) body_ += polder::text(cell[i], escape_markup(row[i]), "</td>");
      body_ += "</tr>\n";
    }
    body_ += "</tbody></table></div>\n";
    return *this;
  }

  /// A picture (SVG, taken as it is) and the text below it.
  html_report& figure(std::string_view svg, std::string_view caption) {
    body_ += polder::text("<figure>", svg);
    if (!caption.empty()) body_ += polder::text("<figcaption>", escape_markup(caption), "</figcaption>");
    body_ += "</figure>\n";
    return *this;
  }

  /// The whole page.
  [[nodiscard]] std::string html() const {
    const std::string title = escape_markup(title_);
    return polder::text("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
                        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
                        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>", title, "</title>\n<style>\n",
                        css, "</style>\n</head>\n<body>\n<main>\n<h1>", title, "</h1>\n", body_,
                        "</main>\n</body>\n</html>\n");
  }
  /// Writes the page in one go; errors as write_file.
  void write(const std::string& path) const { write_file(path, html()); }

 private:
  static constexpr std::string_view css = R"(:root {
  --page: #f6f7f9; --card: #fff; --text: #24292f; --quiet: #57606a; --line: #dfe3e8; --accent: #0072b2;
}
@media (prefers-color-scheme: dark) {
  :root { --page: #0d1014; --card: #14181d; --text: #e6edf3; --quiet: #9da7b1; --line: #2b323b; --accent: #4ba6e0; }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif;
}
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.25; margin: 0 0 1.5rem; letter-spacing: -0.01em; }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 2.75rem 0 0.75rem; }
h3 { font-size: 1.1rem; margin: 2rem 0 0.5rem; }
p, ul { max-width: 46rem; margin: 0.75rem 0; }
.note { border-left: 3px solid var(--accent); padding: 0.1rem 0 0.1rem 1rem; color: var(--quiet); }
pre {
  background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 0.9rem 1.1rem; overflow-x: auto;
  font: 0.875rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
.wide { overflow-x: auto; margin: 1.25rem 0; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: 0.925rem; }
caption { text-align: left; color: var(--quiet); padding: 0.7rem 1rem 0.2rem; }
th, td { padding: 0.5rem 1rem; text-align: left; vertical-align: baseline; }
th { color: var(--quiet); font-weight: 600; border-bottom: 1px solid var(--line); }
tbody tr + tr td { border-top: 1px solid var(--line); }
td { white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
figure {
  margin: 1.5rem 0; padding: 1rem 1rem 0.75rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
}
figure svg { display: block; margin: 0 auto; max-width: 100%; height: auto; }
figcaption { color: var(--quiet); font-size: 0.9rem; margin-top: 0.5rem; text-align: center; }
@media print { body { background: none; } main { max-width: none; } figure, .wide { break-inside: avoid; } }
)";

  html_report& put(std::string_view tag, std::string_view text) {
    body_ += polder::text('<', tag, '>', escape_markup(text), "</", tag, ">\n");
    return *this;
  }

  static bool reads_as_number(std::string_view cell) {
    if (cell.empty() || cell == "–" || cell == "-") return true;
    if (cell.ends_with('%')) cell.remove_suffix(1);
    double value = 0;
    return detail::parse_number(detail::trimmed(cell), value);
  }

  std::string title_;
  std::string body_;
};

}  // namespace polder::io
