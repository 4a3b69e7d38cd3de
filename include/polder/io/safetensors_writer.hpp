// polder — safetensors files: named tensors and a table of texts, readable in Python, Rust and here. Writer.
//
// Layout: 8 bytes of header length (little-endian), a JSON header, then the numbers of all tensors without gaps.
// Format: https://github.com/huggingface/safetensors#format
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/checksum.hpp"
#include "polder/io/dtype.hpp"
#include "polder/io/file.hpp"
#include "polder/io/json.hpp"
#include "polder/io/utf8.hpp"

namespace polder::io {

/// The key of the check sum in the table of texts.
inline constexpr std::string_view checksum_key = "polder.checksum";

/// The texts of a file.
using metadata_map = std::map<std::string, std::string, std::less<>>;

/// One tensor of a file and where its bytes lie.
struct tensor_entry {
  std::string name;
  io::dtype type = io::dtype::f32;
  std::vector<std::size_t> shape;
  byte_view content;
};

/// The check sum of names, types, shapes, numbers and texts (all but the check sum itself). It does not depend on how
/// the header is spelled, so that a file that another program rewrote unchanged keeps its sum.
[[nodiscard]] inline std::string safetensors_checksum(std::span<const tensor_entry> tensors,
                                                      const metadata_map& metadata) {
  xxh64 sum;
  const auto add_number = [&sum](std::uint64_t number) {
    std::uint8_t raw[sizeof number];
    std::memcpy(raw, &number, sizeof number);
    sum.update(raw);
  };
  const auto add_bytes = [&](byte_view content) {
    add_number(content.size());
    sum.update(content);
  };
  for (const auto& [key, value] : metadata) {
    if (key == checksum_key) continue;
    add_bytes(as_bytes(key));
    add_bytes(as_bytes(value));
  }
  for (const tensor_entry& tensor : tensors) {
    add_bytes(as_bytes(tensor.name));
    add_bytes(as_bytes(info_of(tensor.type).name));
    add_number(tensor.shape.size());
    for (const std::size_t extent : tensor.shape) add_number(extent);
    add_bytes(tensor.content);
  }
  return hex64(sum.digest());
}

/// Collects tensors and texts and writes them as one file.
///
/// Tensors are not copied: the numbers must stay where they are until `write`. The larger element types come first in
/// the file (else in the order of `add`), so that every tensor is aligned. Errors: config_error for a name that comes
/// twice or is not UTF-8 and for a shape that does not fit; data_error, with the old file untouched, if writing fails.
class safetensors_writer {
 public:
  /// `numbers` is a vector, a span, ... of one of the file's types, but no temporary that owns its numbers.
  template <std::ranges::contiguous_range Numbers>
    requires(std::ranges::borrowed_range<Numbers> && file_number<std::ranges::range_value_t<Numbers>>)
  void add(std::string name, Numbers&& numbers, std::vector<std::size_t> shape) {
    using value_type = std::ranges::range_value_t<Numbers>;
    const std::span<const value_type> view(numbers);
    require<config_error>(tensor_bytes(shape, sizeof(value_type)) == view.size_bytes(), "tensor '", name, "' has ",
                          view.size(), " numbers, which its shape does not give");
    check_text(name);
    require<config_error>(name != "__metadata__", "a tensor must not be called '__metadata__'");
    for (const tensor_entry& other : tensors_) {
      require<config_error>(other.name != name, "two tensors are called '", name, "'");
    }
    const byte_view content(reinterpret_cast<const std::uint8_t*>(view.data()), view.size_bytes());
    tensors_.push_back({std::move(name), dtype_of<value_type>(), std::move(shape), content});
  }
  /// A vector: a tensor of one dimension.
  template <std::ranges::contiguous_range Numbers>
    requires(std::ranges::borrowed_range<Numbers> && file_number<std::ranges::range_value_t<Numbers>>)
  void add(std::string name, Numbers&& numbers) {
    add(std::move(name), numbers, {std::ranges::size(numbers)});
  }

  void metadata(std::string key, std::string value) {
    check_text(key);
    check_text(value);
    metadata_.insert_or_assign(std::move(key), std::move(value));
  }

  /// Writes the file in one go: under its name there is the old file or the whole new one, never a part of it.
  void write(const std::string& path) const {
    const std::vector<tensor_entry> sorted = in_file_order();
    const std::string header = header_of(sorted);
    std::vector<byte_view> pieces{as_bytes(header)};
    for (const tensor_entry& tensor : sorted) pieces.push_back(tensor.content);
    write_file(path, pieces);
  }
  /// The same bytes in memory.
  [[nodiscard]] bytes serialize() const {
    const std::vector<tensor_entry> sorted = in_file_order();
    const std::string header = header_of(sorted);
    bytes whole(header.begin(), header.end());
    for (const tensor_entry& tensor : sorted) whole.insert(whole.end(), tensor.content.begin(), tensor.content.end());
    return whole;
  }

 private:
  static void check_text(std::string_view text) {
    for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(utf8_length(rest))) {
      require<config_error>(utf8_length(rest) > 0, "'", text, "' is not UTF-8 and cannot stand in a safetensors file");
    }
  }
  [[nodiscard]] std::vector<tensor_entry> in_file_order() const {
    std::vector<tensor_entry> sorted = tensors_;
    std::ranges::stable_sort(sorted, std::greater{}, [](const tensor_entry& t) { return info_of(t.type).size; });
    return sorted;
  }
  [[nodiscard]] std::string header_of(std::span<const tensor_entry> sorted) const {
    json texts;
    texts[checksum_key] = safetensors_checksum(sorted, metadata_);
    for (const auto& [key, value] : metadata_) {
      if (key != checksum_key) texts[key] = value;
    }
    json::object members;
    members.emplace_back("__metadata__", std::move(texts));
    std::size_t offset = 0;
    for (const tensor_entry& tensor : sorted) {
      const json offsets = json::array{json(offset), json(offset + tensor.content.size())};
      members.emplace_back(tensor.name, json{{"dtype", info_of(tensor.type).name},
                                             {"shape", json::array_of(tensor.shape)},
                                             {"data_offsets", offsets}});
      offset += tensor.content.size();
    }
    std::string text = json(std::move(members)).dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');  // the numbers begin at a multiple of 8
    const std::uint64_t length = text.size();
    std::string header(sizeof length, '\0');
    std::memcpy(header.data(), &length, sizeof length);
    return header + text;
  }

  std::vector<tensor_entry> tensors_;
  metadata_map metadata_;
};

}  // namespace polder::io
