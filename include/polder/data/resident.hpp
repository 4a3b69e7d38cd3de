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
#include "polder/core/error.hpp"
#include "polder/core/random.hpp"
#include "polder/core/view.hpp"
#include "polder/data/augment.hpp"
#include "polder/data/dataset.hpp"

namespace polder::data {

namespace detail {

/// Bytes by a table of 256 values a channel, as batch_buffer has it.
template <class T>
struct byte_pixels {
  const std::uint8_t* pixels;
  const T* tables;  // (channels, 256)

  [[nodiscard]] POLDER_HD T black(std::size_t channel) const { return tables[channel * 256]; }
  [[nodiscard]] POLDER_HD T at(std::size_t channel, std::size_t place) const {
    return tables[channel * 256 + pixels[place]];
  }
};
/// value = pixel · slope + offset of the channel
template <class T>
struct float_pixels {
  const float* pixels;
  const double *slopes, *offsets;

  [[nodiscard]] POLDER_HD T black(std::size_t channel) const { return static_cast<T>(offsets[channel]); }
  [[nodiscard]] POLDER_HD T at(std::size_t channel, std::size_t place) const {
    return static_cast<T>(static_cast<double>(pixels[place]) * slopes[channel] + offsets[channel]);
  }
};

/// A team for each image of the batch: draws what is done to it once, then writes its pixels and its label.
template <class T, class Pixels>
struct gather_images {
  Pixels from;
  std::size_t channels, height, width;
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
      const std::size_t channel = j / area, h = j / width % height, w = j % width;
      // places before the image wrap around to very large ones
      const std::size_t row = h + static_cast<std::size_t>(static_cast<std::ptrdiff_t>(change.down));
      const std::size_t column = w + static_cast<std::size_t>(static_cast<std::ptrdiff_t>(change.right));
      const std::size_t line = ((index * channels + channel) * height + row) * width;
      images[(channel * count + n) * area + j % area] =
          row < height && column < width ? from.at(channel, line + (change.mirrored ? width - 1 - column : column))
                                         : from.black(channel);
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
    const bool plain = images.normalization.mean.empty();
    std::vector<double> slopes, offsets;
    std::vector<T> tables;
    for (std::size_t c = 0; c < shape_.channels; ++c) {
      const double mean = plain ? 0.0 : images.normalization.mean[c];
      const double deviation = plain ? 1.0 : images.normalization.deviation[c];
      slopes.push_back(images.scale / deviation);
      offsets.push_back(-mean / deviation);
      for (std::size_t value = 0; value < 256; ++value) {
        tables.push_back(static_cast<T>((static_cast<double>(value) * images.scale - mean) / deviation));
      }
    }
    if (const auto* const raw = std::get_if<std::vector<std::uint8_t>>(&images.pixels)) {
      bytes_ = uploaded(backend, *raw);
      tables_ = uploaded(backend, tables);
    } else {
      floats_ = uploaded(backend, std::get<std::vector<float>>(images.pixels));
      slopes_ = uploaded(backend, slopes);
      offsets_ = uploaded(backend, offsets);
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
    if (bytes_.size() != 0) {
      run(backend, detail::byte_pixels<T>{bytes_.view().data, tables_.view().data}, indices, how, key, images, labels);
    } else {
      run(backend, detail::float_pixels<T>{floats_.view().data, slopes_.view().data, offsets_.view().data}, indices,
          how, key, images, labels);
    }
  }

 private:
  template <class U>
  static buffer_t<B, U> uploaded(const B& backend, const std::vector<U>& from) {
    auto to = backend.template zeros<U>(from.size());
    backend.from_host(std::span<const U>(from), to.view());
    return to;
  }
  template <class Pixels>
  void run(const B& backend, const Pixels& pixels, view<space, const std::size_t> indices, const augmentation& how,
           const random_key& key, view<space, T> images, view<space, std::int32_t> labels) const {
    backend.teams(indices.size, detail::gather_images<T, Pixels>{pixels, shape_.channels, shape_.height, shape_.width,
                                                                 indices.size, indices.data, labels_.view().data, how,
                                                                 key, images.data, labels.data});
  }

  image_shape shape_;
  std::size_t size_;
  std::size_t classes_;
  buffer_t<B, std::int32_t> labels_;
  buffer_t<B, std::uint8_t> bytes_;
  buffer_t<B, T> tables_;
  buffer_t<B, float> floats_;
  buffer_t<B, double> slopes_, offsets_;
};

/// A worker's minibatch in a backend's memory.
template <class T, kernel_backend B>
class resident_batch {
 public:
  using space = typename B::space;

  /// The data set must outlive it. Errors: config_error for a batch of 0.
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
                          " images, but there is memory for 1 to ", indices_.size());
    const std::size_t greatest = std::ranges::max(indices);
    require<config_error>(greatest < source_->size(), "there is no image ", greatest, " among ", source_->size());
    count_ = indices.size();
    backend_.from_host(indices, indices_.view().part(0, count_));
    source_->gather(backend_, indices_.view().part(0, count_).as_const(), how, key, writable_images(),
                    labels_.view().part(0, count_));
  }

  /// (channels, count, height, width), as nn::device_model takes them
  [[nodiscard]] view<space, const T> images() const { return images_.view().part(0, count_ * source_->shape().size()); }
  [[nodiscard]] view<space, const std::int32_t> labels() const { return labels_.view().part(0, count_); }
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  [[nodiscard]] view<space, T> writable_images() { return images_.view().part(0, count_ * source_->shape().size()); }

  const resident_dataset<T, B>* source_;
  B backend_;
  buffer_t<B, std::size_t> indices_;
  buffer_t<B, T> images_;
  buffer_t<B, std::int32_t> labels_;
  std::size_t count_ = 0;
};

}  // namespace polder::data
