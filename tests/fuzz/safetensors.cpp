// safetensors files, and so checkpoints: whatever the bytes are, there is a valid file or a data_error. The check sum is
// set right in each input, so that the fuzzer is not stopped by it; a valid file must survive being written again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "polder/io/safetensors.hpp"

namespace {

using namespace polder::io;

/// The file with the check sum that its content has, where it has room for one.
bytes with_right_checksum(bytes content) {
  const std::string sum = parse_safetensors(content, "input", false).checksum();
  const std::string_view text = as_text(content);
  const std::size_t key = text.find(checksum_key);
  const std::size_t value = key == std::string_view::npos ? key : text.find_first_of("0123456789abcdef", key + 17);
  if (value != std::string_view::npos && text.size() - value > sum.size() && text[value - 1] == '"' &&
      text.find('"', value) == value + sum.size()) {
    std::ranges::copy(sum, content.begin() + static_cast<std::ptrdiff_t>(value));
  }
  return content;
}

template <class T>
bool add(safetensors_writer& writer, const safetensors_file& file, const tensor_entry& tensor) {
  if (tensor.type != dtype_of<T>()) return false;
  writer.add(tensor.name, file.get<T>(tensor.name), tensor.shape);
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const safetensors_file file = parse_safetensors(with_right_checksum({data, data + size}), "input");
    safetensors_writer writer;
    std::size_t written = 0;
    for (const tensor_entry& tensor : file.tensors()) {
      if (tensor.name.find("__metadata__") != std::string::npos) continue;
      written += add<float>(writer, file, tensor) || add<double>(writer, file, tensor) ||
                 add<std::uint64_t>(writer, file, tensor) || add<std::int64_t>(writer, file, tensor) ||
                 add<std::int32_t>(writer, file, tensor) || add<std::uint8_t>(writer, file, tensor);
    }
    for (const auto& [key, value] : file.metadata()) writer.metadata(key, value);
    if (parse_safetensors(writer.serialize(), "copy").tensors().size() != written) __builtin_trap();
  } catch (const polder::data_error&) {
  }
  return 0;
}
