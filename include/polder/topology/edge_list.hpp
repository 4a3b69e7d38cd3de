// polder — graphs from text files: one edge a line.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/topology/graph.hpp"

namespace polder::topology {

namespace detail {

inline constexpr std::size_t max_edge_list_bytes = std::size_t{64} << 20;

inline bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// The next word of `rest`, which is shortened by it; empty at the end.
inline std::string_view next_word(std::string_view& rest) {
  while (!rest.empty() && is_blank(rest.front())) rest.remove_prefix(1);
  const auto end = std::find_if(rest.begin(), rest.end(), is_blank);
  const std::string_view word = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
  rest.remove_prefix(word.size());
  return word;
}

// What a message may show of a word from a file: at most 24 characters, all printable.
inline std::string printable(std::string_view word) {
  std::string shown(word.substr(0, 24));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return word.size() > 24 ? shown + "..." : shown;
}

// Reads a rank; `place` is "FILE, line 3".
inline int parse_rank(std::string_view word, int workers, const std::string& place) {
  int rank = 0;
  const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), rank);
  require<data_error>(failure == std::errc{} && end == word.data() + word.size(), place, ": '", printable(word),
                      "' is not the rank of a worker; a line is two ranks as in \"0 1\", a comment starts with #");
  require<data_error>(rank >= 0 && rank < workers, place, ": rank ", rank, " is outside 0 .. ", workers - 1);
  return rank;
}

inline std::string read_edge_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  require<data_error>(file.is_open(), "cannot open the edge list ", path, ": does it exist, and may you read it?");
  std::string content;
  std::vector<char> block(std::size_t{1} << 16);
  while (file) {
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    content.append(block.data(), static_cast<std::size_t>(file.gcount()));
    require<data_error>(content.size() <= max_edge_list_bytes, "the edge list ", path, " is longer than ",
                        max_edge_list_bytes, " bytes: is this the right file?");
  }
  require<data_error>(file.eof() && !file.bad(), "cannot read the edge list ", path, ": is it a file?");
  return content;
}

}  // namespace detail

/// A static graph from the text of an edge list: a line is two ranks `i j`, with blanks between; `#` starts a comment.
/// Undirected edges are listed once, in either direction; with `directed`, `i j` means that i sends to j.
/// `workers`: their number; 0 (default) takes the greatest rank + 1. `source` names the text in errors.
/// Throws data_error with the line number on anything else, ranks outside [0, workers), self loops, repeated edges; and
/// if there is no edge at all.
[[nodiscard]] inline graph parse_edge_list(std::string_view content, const std::string& source, int workers = 0,
                                           bool directed = false) {
  require<config_error>(workers >= 0 && workers <= max_workers, "edge list ", source, " for ", workers,
                        " workers: a graph has 1 to ", max_workers, " workers");
  std::map<edge, std::size_t> line_of;
  int greatest = 0;
  for (std::size_t line = 1; !content.empty(); ++line) {
    const std::size_t length = std::min(content.find('\n'), content.size());
    std::string_view rest = content.substr(0, length);
    content.remove_prefix(std::min(length + 1, content.size()));
    rest = rest.substr(0, rest.find('#'));
    const std::string_view from = detail::next_word(rest);
    if (from.empty()) continue;
    const std::string_view to = detail::next_word(rest);
    const std::string_view more = detail::next_word(rest);
    const std::string place = text(source, ", line ", line);
    const int limit = workers == 0 ? max_workers : workers;
    edge e;
    e.from = detail::parse_rank(from, limit, place);
    require<data_error>(!to.empty(), place, ": rank ", e.from, " alone; a line is two ranks as in \"0 1\"");
    e.to = detail::parse_rank(to, limit, place);
    require<data_error>(more.empty(), place, ": '", detail::printable(more), "' after the two ranks of an edge");
    require<data_error>(e.from != e.to, place, ": worker ", e.from,
                        " is joined to itself; leave it out, every worker keeps a weight for itself");
    greatest = std::max({greatest, e.from, e.to});
    if (!directed && e.from > e.to) std::swap(e.from, e.to);
    const auto [first, inserted] = line_of.emplace(e, line);
    require<data_error>(inserted, place, ": the edge ", e.from, " ", e.to, " is already on line ", first->second,
                        directed ? "" : "; an undirected edge is listed once");
  }
  require<data_error>(!line_of.empty(), source, " has no edge: a line is two ranks as in \"0 1\"");
  std::vector<edge> edges;
  edges.reserve(line_of.size());
  for (const auto& [e, line] : line_of) edges.push_back(e);
  return from_edges(workers == 0 ? greatest + 1 : workers, std::move(edges), directed, "edges of " + source);
}

/// The graph of an edge-list file (see parse_edge_list). Throws data_error if it cannot be read.
[[nodiscard]] inline graph read_edge_list(const std::string& path, int workers = 0, bool directed = false) {
  return parse_edge_list(detail::read_edge_file(path), path, workers, directed);
}

}  // namespace polder::topology
