// polder — safetensors files: named tensors and a table of texts. Reader; with it comes the writer.
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
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/dtype.hpp"
#include "polder/io/file.hpp"
#include "polder/io/json.hpp"
#include "polder/io/json_parse.hpp"
#include "polder/io/safetensors_writer.hpp"

namespace polder::io {

/// The tensors and texts of a safetensors file that was found valid. Moves, does not copy.
class safetensors_file {
 public:
  /// Checks and takes the bytes of a file; see parse_safetensors.
  safetensors_file(bytes content, std::string name, bool verify_checksum);
  safetensors_file(safetensors_file&&) = default;
  safetensors_file& operator=(safetensors_file&&) = default;

  /// All tensors in the order of the file.
  [[nodiscard]] const std::vector<tensor_entry>& tensors() const { return tensors_; }
  [[nodiscard]] const metadata_map& metadata() const { return metadata_; }
  /// The check sum that the content has, whatever the file says.
  [[nodiscard]] std::string checksum() const { return safetensors_checksum(tensors_, metadata_); }

  [[nodiscard]] bool contains(std::string_view name) const { return find(name) != nullptr; }
  /// The tensor of that name; data_error if there is none.
  [[nodiscard]] const tensor_entry& tensor(std::string_view name) const {
    const tensor_entry* const found = find(name);
    require<data_error>(found != nullptr, "'", name_, "' has no tensor '", name, "'");
    return *found;
  }
  /// The numbers of a tensor; data_error if there is none of that name or its numbers are of another type.
  template <file_number T>
  [[nodiscard]] std::span<const T> get(std::string_view name) const {
    const tensor_entry& found = tensor(name);
    require<data_error>(found.type == dtype_of<T>(), "tensor '", name, "' of '", name_, "' holds ",
                        info_of(found.type).name, ", not ", info_of(dtype_of<T>()).name);
    return {reinterpret_cast<const T*>(found.content.data()), found.content.size() / sizeof(T)};
  }
  /// The same, where the caller knows how many numbers there must be.
  template <file_number T>
  [[nodiscard]] std::span<const T> get(std::string_view name, std::size_t size) const {
    const std::span<const T> numbers = get<T>(name);
    require<data_error>(numbers.size() == size, "tensor '", name, "' of '", name_, "' has ", numbers.size(),
                        " numbers where ", size, " are expected");
    return numbers;
  }
  /// The text of that key; data_error if there is none.
  [[nodiscard]] const std::string& metadata(std::string_view key) const {
    const auto found = metadata_.find(key);
    require<data_error>(found != metadata_.end(), "'", name_, "' has no metadata '", key, "'");
    return found->second;
  }

 private:
  template <class... Pieces>
  void check(bool condition, const Pieces&... pieces) const {
    require<data_error>(condition, "'", name_, "' is not a valid safetensors file: ", pieces...);
  }
  [[nodiscard]] const tensor_entry* find(std::string_view name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &tensors_[found->second];
  }
  void read_metadata(const json& texts);
  void read_tensor(const std::string& name, const json& fields, byte_view data);
  void order_and_align(byte_view data);

  std::string name_;
  bytes content_;
  std::vector<tensor_entry> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
  metadata_map metadata_;
};

inline safetensors_file::safetensors_file(bytes content, std::string name, bool verify_checksum)
    : name_(std::move(name)), content_(std::move(content)) {
  constexpr std::uint64_t greatest_header = 100'000'000;
  std::uint64_t length = 0;
  check(content_.size() >= sizeof length, "it has ", content_.size(), " bytes, too few for the length of a header");
  std::memcpy(&length, content_.data(), sizeof length);
  check(length <= greatest_header, "its header claims ", length, " bytes; ", greatest_header, " are allowed");
  check(length <= content_.size() - sizeof length, "its header claims ", length, " bytes, but only ",
        content_.size() - sizeof length, " follow");
  const byte_view header = byte_view(content_).subspan(sizeof length, static_cast<std::size_t>(length));
  check(!header.empty() && header.front() == '{', "its header does not begin with '{'");
  const json parsed = parse_json(as_text(header), name_, {.depth = 4});
  const byte_view data = byte_view(content_).subspan(sizeof length + header.size());
  for (const auto& [key, value] : *parsed.get_if<json::object>()) {
    key == "__metadata__" ? read_metadata(value) : read_tensor(key, value, data);
  }
  order_and_align(data);
  if (const auto stored = metadata_.find(checksum_key); verify_checksum && stored != metadata_.end()) {
    check(stored->second == checksum(), "its check sum is ", checksum(), ", not ", stored->second,
          " as it says: the file is damaged");
  }
}

inline void safetensors_file::read_metadata(const json& texts) {
  const auto* const members = texts.get_if<json::object>();
  check(members != nullptr, "__metadata__ is no object");
  for (const auto& [key, value] : *members) {
    const auto* const text = value.get_if<std::string>();
    check(text != nullptr, "the metadata '", key, "' is no text");
    metadata_.emplace(key, *text);
  }
}

inline void safetensors_file::read_tensor(const std::string& name, const json& fields, byte_view data) {
  const json* const type_field = fields.find("dtype");
  const json* const shape_field = fields.find("shape");
  const json* const offsets_field = fields.find("data_offsets");
  check(type_field != nullptr && shape_field != nullptr && offsets_field != nullptr, "tensor '", name,
        "' lacks dtype, shape or data_offsets");
  const auto* const type_name = type_field->get_if<std::string>();
  const auto type = dtype_named(type_name != nullptr ? *type_name : std::string());
  check(type.has_value(), "tensor '", name, "' has an unknown dtype ", type_field->dump());

  const auto whole_numbers = [&](const json& field, const char* what) {
    std::vector<std::size_t> numbers;
    const auto* const items = field.get_if<json::array>();
    check(items != nullptr, "tensor '", name, "': ", what, " is no array");
    for (const json& item : *items) {
      const auto number = item.as_unsigned();
      check(number.has_value(), "tensor '", name, "': ", what, " holds ", item.dump(), ", which is no whole number");
      numbers.push_back(static_cast<std::size_t>(*number));
    }
    return numbers;
  };
  std::vector<std::size_t> shape = whole_numbers(*shape_field, "shape");
  const std::vector<std::size_t> offsets = whole_numbers(*offsets_field, "data_offsets");
  check(offsets.size() == 2, "tensor '", name, "': data_offsets are not two");
  const auto [begin, end] = std::pair(offsets[0], offsets[1]);
  check(begin <= end && end <= data.size(), "tensor '", name, "' lies at ", begin, " to ", end, " of ", data.size(),
        " bytes");
  const auto expected = tensor_bytes(shape, info_of(*type).size);
  check(expected == end - begin, "tensor '", name, "' has ", end - begin, " bytes, which its shape does not give");
  tensors_.push_back({name, *type, std::move(shape), data.subspan(begin, end - begin)});
}

inline void safetensors_file::order_and_align(byte_view data) {
  std::ranges::stable_sort(tensors_, [](const tensor_entry& a, const tensor_entry& b) {
    return std::pair(a.content.data(), a.content.size()) < std::pair(b.content.data(), b.content.size());
  });
  std::size_t used = 0;
  bool aligned = true;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const tensor_entry& tensor = tensors_[i];
    const auto begin = static_cast<std::size_t>(tensor.content.data() - data.data());
    check(begin == used, "tensor '", tensor.name, "' begins at byte ", begin, " of the numbers, not ", used,
          ": gaps and overlaps are not allowed");
    used += tensor.content.size();
    aligned = aligned && reinterpret_cast<std::uintptr_t>(tensor.content.data()) % info_of(tensor.type).size == 0;
    index_.emplace(tensor.name, i);
  }
  check(used == data.size(), data.size() - used, " bytes behind the last tensor belong to none");
  if (aligned) return;

  // Other writers may put tensors where their type cannot be read in place.
  const auto padded = [](std::size_t size) { return (size + 7) / 8 * 8; };
  std::size_t total = 0;
  for (const tensor_entry& tensor : tensors_) total += padded(tensor.content.size());
  bytes moved(total);
  std::size_t offset = 0;
  for (tensor_entry& tensor : tensors_) {
    std::ranges::copy(tensor.content, moved.begin() + static_cast<std::ptrdiff_t>(offset));
    tensor.content = byte_view(moved).subspan(offset, tensor.content.size());
    offset += padded(tensor.content.size());
  }
  content_ = std::move(moved);
}

/// The tensors in the bytes of a safetensors file; `name` is what errors call it.
///
/// Errors (data_error): a header that is cut off, above 100 MB, no JSON, or with a name twice; an unknown type; a shape
/// whose product overflows or does not give the bytes; tensors with gaps, overlaps or bytes that do not exist; and,
/// where the file carries polder's check sum, content that does not give it.
[[nodiscard]] inline safetensors_file parse_safetensors(bytes content, std::string name, bool verify_checksum = true) {
  return safetensors_file(std::move(content), std::move(name), verify_checksum);
}

/// Reads a safetensors file; errors as parse_safetensors and read_file.
[[nodiscard]] inline safetensors_file read_safetensors(const std::string& path,
                                                       std::size_t limit = std::size_t{1} << 40) {
  return parse_safetensors(read_file(path, limit), path);
}

}  // namespace polder::io
