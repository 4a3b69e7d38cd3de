// polder — a data set in a backend's memory, and minibatches gathered there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/config.hpp"
#include "polder/core/divider.hpp"
#include "polder/core/error.hpp"
#include "polder/core/random.hpp"
#include "polder/core/view.hpp"
#include "polder/data/augment.hpp"
#include "polder/data/dataset.hpp"
#include "polder/data/pixel_values.hpp"

namespace polder::data {

namespace detail {

/// A team for each image of the batch: draws what is done to it once, then writes its pixels and its label.
template <class T, class Value>
struct gather_images {
  Value value;  // of a channel's pixel
  const typename Value::pixel* pixels;
  std::size_t channels, height, width;
  divider by_height, by_width;
  std::size_t count;
  const std::size_t* indices;
  const std::int32_t* all_labels;
  augmentation how;
  random_key key;
  T* images;             // (channels, count, height, width)
  std::int32_t* labels;  // (count)

  template <class Team>
  POLDER_HD void operator()(const Team& team, std::size_t n) const {
    const std::size_t index = indices[n], area = height * width;
    const image_change change = how.changes() ? change_of(how, key, index) : image_change{};
    team.each(channels * area, [&](std::size_t j) {
      const auto [above, w] = by_width.split(static_cast<std::uint32_t>(j));
      const auto [channel, h] = by_height.split(above);
      // places before the image wrap around to very large ones
      const std::size_t row = h + static_cast<std::size_t>(static_cast<std::ptrdiff_t>(change.down));
      const std::size_t column = w + static_cast<std::size_t>(static_cast<std::ptrdiff_t>(change.right));
      const std::size_t line = ((index * channels + channel) * height + row) * width;
      const bool inside = row < height && column < width;
      const std::size_t place = line + (change.mirrored ? width - 1 - column : column);
      images[(channel * count + n) * area + h * width + w] =
          value(channel, inside ? pixels[place] : typename Value::pixel{});
    });
    team.each(1, [&](std::size_t) { labels[n] = all_labels[index]; });
  }
};

}  // namespace detail

/// A data set copied once into a backend's memory, where any number of workers of that memory gather their minibatches:
/// per step only the numbers of the images cross over. Never changes.
///
/// Memory: the pixels as they are (bytes stay bytes), four bytes for each label.
/// Errors: data_error for a data set with wrong sizes, labels or pixels; backend_error where there is no memory for it.
template <class T, kernel_backend B>
class resident_dataset {
 public:
  using space = typename B::space;

  resident_dataset(const dataset& images, const B& backend)
      : shape_(images.shape), size_(images.size()), classes_(images.classes) {
    check(images);
    labels_ = uploaded(backend, images.labels);
    const detail::pixel_values<T> values(images);
    tables_ = uploaded(backend, values.tables);
    lines_ = uploaded(backend, values.lines);
    if (const auto* const raw = std::get_if<std::vector<std::uint8_t>>(&images.pixels)) {
      bytes_ = uploaded(backend, *raw);
    } else {
      floats_ = uploaded(backend, std::get<std::vector<float>>(images.pixels));
    }
    // Workers on other streams must find everything there: the one call that waits.
    std::int32_t last = 0;
    backend.to_host(labels_.view().part(size_ - 1, 1).as_const(), std::span<std::int32_t>(&last, 1));
  }

  [[nodiscard]] const image_shape& shape() const { return shape_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t classes() const { return classes_; }

  /// The images with the numbers `indices` (in the backend's memory, each below size()), normalized as batch_buffer does
  /// and changed as `how` and `key` say (loader): the same numbers, bit for bit where the host and the device round
  /// alike. `images` is (channels, count, height, width).
  void gather(const B& backend, view<space, const std::size_t> indices, const augmentation& how, const random_key& key,
              view<space, T> images, view<space, std::int32_t> labels) const {
    require<config_error>(images.size == indices.size * shape_.size() && labels.size == indices.size,
                          "gather: ", indices.size, " images give ", indices.size * shape_.size(), " numbers and ",
                          indices.size, " labels, not ", images.size, " and ", labels.size);
    const auto run = [&](const auto& value, const auto* pixels) {
      backend.teams(indices.size,
                    detail::gather_images<T, std::decay_t<decltype(value)>>{
                        value, pixels, shape_.channels, shape_.height, shape_.width, shape_.height, shape_.width,
                        indices.size, indices.data, labels_.view().data, how, key, images.data, labels.data});
    };
    if (bytes_.size() != 0) {
      run(detail::byte_pixels<T>{tables_.view().data}, bytes_.view().data);
    } else {
      run(detail::float_pixels<T>{lines_.view().data}, floats_.view().data);
    }
  }

 private:
  template <class U>
  static buffer_t<B, U> uploaded(const B& backend, const std::vector<U>& from) {
    auto to = backend.template zeros<U>(from.size());
    backend.from_host(std::span<const U>(from), to.view());
    return to;
  }

  image_shape shape_;
  std::size_t size_;
  std::size_t classes_;
  buffer_t<B, std::int32_t> labels_;
  buffer_t<B, std::uint8_t> bytes_;
  buffer_t<B, T> tables_;
  buffer_t<B, float> floats_;
  buffer_t<B, double> lines_;
};

/// A worker's minibatch in a backend's memory.
template <class T, kernel_backend B>
class resident_batch {
 public:
  using space = typename B::space;

  /// The data set must outlive it. Errors: config_error for a batch of 0.
  resident_batch(const resident_dataset<T, B>&&, const B&, std::size_t) = delete;
  resident_batch(const resident_dataset<T, B>& images, const B& backend, std::size_t most_images)
      : source_(&images),
        backend_(backend),
        indices_(backend.template zeros<std::size_t>(most_images)),
        images_(backend.template zeros<T>(most_images * images.shape().size())),
        labels_(backend.template zeros<std::int32_t>(most_images)) {
    require<config_error>(most_images != 0, "a batch of 0 images is impossible");
  }

  /// Gathers the images with these numbers; with an augmentation, changed by the random numbers of `key`.
  void gather(std::span<const std::size_t> indices, const augmentation& how = {}, const random_key& key = {}) {
    require<config_error>(!indices.empty() && indices.size() <= indices_.size(), "a batch of ", indices.size(),
                          " images, but there is memory for 1 to ", indices_.size(),
                          ": make the resident_batch for the largest one");
    const std::size_t greatest = std::ranges::max(indices);
    require<config_error>(greatest < source_->size(), "there is no image ", greatest, " among ", source_->size());
    count_ = indices.size();
    backend_.from_host(indices, indices_.view().part(0, count_));
    source_->gather(backend_, indices_.view().part(0, count_).as_const(), how, key,
                    images_.view().part(0, count_ * source_->shape().size()), labels_.view().part(0, count_));
  }

  /// (channels, count, height, width), as nn::device_model takes them
  [[nodiscard]] view<space, const T> images() const { return images_.view().part(0, count_ * source_->shape().size()); }
  [[nodiscard]] view<space, const std::int32_t> labels() const { return labels_.view().part(0, count_); }
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  const resident_dataset<T, B>* source_;
  B backend_;
  buffer_t<B, std::size_t> indices_;
  buffer_t<B, T> images_;
  buffer_t<B, std::int32_t> labels_;
  std::size_t count_ = 0;
};

}  // namespace polder::data
