// polder — a minibatch: chosen images, normalized, and their labels, in buffers that are used again and again.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <variant>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/data/augment.hpp"
#include "polder/data/dataset.hpp"
#include "polder/data/pixel_values.hpp"

namespace polder::data {

/// What a model sees of a minibatch.
template <class T>
struct batch_view {
  std::span<const T> images;             // (B, C, H, W)
  std::span<const std::int32_t> labels;  // (B)
  image_shape shape;

  [[nodiscard]] std::size_t size() const { return labels.size(); }
};

/// Gathers images of one data set as numbers of type `T`: value = (pixel · scale − mean) / deviation.
///
/// Bytes go through a table of 256 values a channel, so gathering costs a look-up and a store a pixel. Allocates only
/// when a batch is larger than any before. The data set must outlive it.
template <std::floating_point T>
class batch_buffer {
 public:
  explicit batch_buffer(const dataset& images, std::size_t capacity = 0)
      : source_((check_sizes(images), &images)), values_(images) {
    images_.reserve(capacity * images.shape.size());
    labels_.reserve(capacity);
  }
  explicit batch_buffer(const dataset&&, std::size_t = 0) = delete;

  /// The images at `indices`, in that order.
  batch_view<T> gather(std::span<const std::size_t> indices) {
    return gather(indices, [](std::size_t) { return image_change{}; });
  }
  /// The same, each image changed as change(index) says.
  template <class Change>
  batch_view<T> gather(std::span<const std::size_t> indices, const Change& change) {
    resize(indices.size());
    for (std::size_t i = 0; i < indices.size(); ++i) take(indices[i], i, change(indices[i]));
    return view();
  }
  /// The `count` images from `first` on.
  batch_view<T> gather_range(std::size_t first, std::size_t count) {
    resize(count);
    for (std::size_t i = 0; i < count; ++i) take(first + i, i, {});
    return view();
  }

  /// What was gathered last.
  [[nodiscard]] batch_view<T> view() const { return {images_, labels_, source_->shape}; }
  [[nodiscard]] const dataset& source() const { return *source_; }

 private:
  void resize(std::size_t count) {
    images_.resize(count * source_->shape.size());
    labels_.resize(count);
  }
  void take(std::size_t index, std::size_t place, const image_change& change) {
    require<config_error>(index < source_->size(), "there is no image ", index, " in '", source_->name, "' of ",
                          source_->size());
    const std::size_t channels = source_->shape.channels;
    const std::size_t area = source_->shape.height * source_->shape.width;
    // An image that stays as it is is one line, however narrow.
    const std::size_t height = change == image_change{} ? 1 : source_->shape.height;
    const std::size_t width = area / height;
    T* const to = images_.data() + place * source_->shape.size();
    labels_[place] = source_->labels[index];
    const auto write = [&](const auto& pixels, const auto& value) {
      const auto* const from = pixels.data() + index * source_->shape.size();
      for (std::size_t c = 0; c < channels; ++c) {
        change_plane(change, height, width, from + c * area, to + c * area, [&](auto p) { return value(c, p); });
      }
    };
    if (const auto* const raw = std::get_if<std::vector<std::uint8_t>>(&source_->pixels)) {
      write(*raw, detail::byte_pixels<T>{values_.tables.data()});
    } else {
      write(std::get<std::vector<float>>(source_->pixels), detail::float_pixels<T>{values_.lines.data()});
    }
  }

  const dataset* source_;
  detail::pixel_values<T> values_;
  std::vector<T> images_;
  std::vector<std::int32_t> labels_;
};

}  // namespace polder::data
