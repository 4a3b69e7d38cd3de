// polder — the table of tensors inside the one flat parameter vector.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace polder {

/// One tensor of a model: its place in the flat parameter vector.
struct tensor_info {
  std::string name;                ///< as in "conv1.weight"
  std::size_t offset = 0;          ///< of its first number in the flat vector
  std::vector<std::size_t> shape;  ///< row-major

  [[nodiscard]] std::size_t size() const {
    std::size_t product = 1;
    for (const std::size_t extent : shape) product *= extent;
    return product;
  }
};

/// The tensors of a model in the order of the flat vector, without gaps.
///
/// Most of polder sees only `size()` numbers; the few parts that work tensor by tensor (ASAM, per-tensor compressors,
/// filter normalization, files) read the table.
class layout {
 public:
  layout() = default;
  /// A layout of one nameless vector of `size` numbers: what an objective without tensors has.
  explicit layout(std::size_t size) { add("x", {size}); }

  /// Appends a tensor and returns its offset.
  std::size_t add(std::string name, std::vector<std::size_t> shape) {
    tensors_.push_back({std::move(name), size_, std::move(shape)});
    size_ += tensors_.back().size();
    return tensors_.back().offset;
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const std::vector<tensor_info>& tensors() const { return tensors_; }

 private:
  std::vector<tensor_info> tensors_;
  std::size_t size_ = 0;
};

}  // namespace polder
