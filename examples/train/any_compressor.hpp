// One of the compressors, chosen at run time: a compressor itself.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "polder/compress/error_feedback.hpp"
#include "polder/compress/half.hpp"
#include "polder/compress/measured.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/random_k.hpp"
#include "polder/compress/raw.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"
#include "train/number.hpp"

namespace polder_train {

struct any_compressor {
  static constexpr bool fixed_size = true;
  static constexpr const char* names =
      "none, qsgd:BITS (2 to 8, sign included), qsgd:BITS:BUCKET (64 to 4096 numbers share a norm, else a tensor's), "
      "sign, "
      "top_k:KEEP, random_k:KEEP, bf16, fp16";

  std::variant<polder::raw, polder::qsgd, polder::sign, polder::top_k, polder::random_k, polder::half> chosen{};

  template <class T>
  [[nodiscard]] polder::no_compressor_state init(const polder::layout& tensors) const {
    std::visit([&](const auto& k) { (void)k.template init<T>(tensors); }, chosen);
    return {};
  }
  [[nodiscard]] double contraction(const polder::layout& tensors) const {
    return std::visit([&](const auto& k) { return k.contraction(tensors); }, chosen);
  }
  [[nodiscard]] double effective_contraction(const polder::layout& tensors) const {
    return std::visit([&](const auto& k) { return polder::effective_contraction(k, tensors); }, chosen);
  }
  template <class T>
  [[nodiscard]] std::size_t max_bytes(const polder::layout& tensors) const {
    return std::visit([&](const auto& k) { return k.template max_bytes<T>(tensors); }, chosen);
  }
  template <class T>
  std::size_t compress(polder::no_compressor_state& s, std::span<const T> x, const polder::layout& tensors,
                       const polder::stamp& which, std::span<std::byte> out) const {
    return std::visit([&](const auto& k) { return k.template compress<T>(s, x, tensors, which, out); }, chosen);
  }
  template <class T>
  void decompress(std::span<const std::byte> bytes, const polder::layout& tensors, std::span<T> y) const {
    std::visit([&](const auto& k) { k.template decompress<T>(bytes, tensors, y); }, chosen);
  }
  template <class T>
  void decompress_add(std::span<const std::byte> bytes, const polder::layout& tensors, double weight,
                      std::span<T> y) const {
    std::visit([&](const auto& k) { k.template decompress_add<T>(bytes, tensors, weight, y); }, chosen);
  }

  /// The compressor that a text names, with contraction scaling where it has a choice; nothing if it names none.
  [[nodiscard]] static std::optional<any_compressor> parse(std::string_view text) {
    using polder::scaling;
    const std::size_t colon = text.find(':');
    const std::string_view name = text.substr(0, colon);
    if (name == "qsgd") return colon == text.npos ? std::nullopt : parse_qsgd(text.substr(colon + 1));
    const std::optional<double> number = colon == text.npos ? 0.0 : number_in<double>(text.substr(colon + 1));
    if (!number) return std::nullopt;
    const bool share = *number > 0.0 && *number <= 1.0;
    if (name == "top_k") return share ? std::optional(any_compressor{polder::top_k{.keep = *number}}) : std::nullopt;
    if (name == "random_k") {
      if (!share) return std::nullopt;
      return any_compressor{polder::random_k{.keep = *number, .scale = scaling::contraction}};
    }
    if (colon != text.npos) return std::nullopt;
    if (name == "none") return any_compressor{};
    if (name == "sign") return any_compressor{polder::sign{}};
    if (name == "bf16") return any_compressor{polder::half{}};
    if (name == "fp16") return any_compressor{polder::half{.format = polder::half_format::fp16}};
    return std::nullopt;
  }

 private:
  /// "BITS" or "BITS:BUCKET".
  [[nodiscard]] static std::optional<any_compressor> parse_qsgd(std::string_view text) {
    const std::size_t colon = text.find(':');
    const std::optional<unsigned> bits = number_in<unsigned>(text.substr(0, colon));
    const std::optional<std::size_t> bucket =
        colon == text.npos ? std::size_t{0} : number_in<std::size_t>(text.substr(colon + 1));
    if (!bits || *bits < 2 || *bits > 8 || !bucket) return std::nullopt;
    if (colon != text.npos && (*bucket < 64 || *bucket > 4096)) return std::nullopt;
    return any_compressor{polder::qsgd{.bits = *bits, .scale = polder::scaling::contraction, .bucket = *bucket}};
  }
};

static_assert(polder::compressor<any_compressor, float>);

/// The same with error feedback, or without it.
struct any_feedback {
  static constexpr bool fixed_size = any_compressor::fixed_size;
  using plain = polder::measured<any_compressor>;
  using fed_back = polder::error_feedback<plain>;

  plain inner{};
  bool on = true;

  template <class T>
  struct state {
    std::variant<typename fed_back::template state<T>, typename plain::template state<T>> memory;
    template <class Visitor>
    void visit(Visitor&& visitor) {
      std::visit([&](auto& one) { one.visit(visitor); }, memory);
    }
  };
  template <class T>
  [[nodiscard]] state<T> init(const polder::layout& tensors) const {
    if (on) return {fed_back{inner}.template init<T>(tensors)};
    return {inner.template init<T>(tensors)};
  }
  template <class T>
  [[nodiscard]] std::size_t max_bytes(const polder::layout& tensors) const {
    return inner.template max_bytes<T>(tensors);
  }
  template <class T>
  std::size_t compress(state<T>& s, std::span<const T> x, const polder::layout& tensors, const polder::stamp& which,
                       std::span<std::byte> out) const {
    return on ? fed_back{inner}.template compress<T>(std::get<0>(s.memory), x, tensors, which, out)
              : inner.template compress<T>(std::get<1>(s.memory), x, tensors, which, out);
  }
  template <class T>
  void decompress(std::span<const std::byte> bytes, const polder::layout& tensors, std::span<T> y) const {
    inner.template decompress<T>(bytes, tensors, y);
  }
  template <class T>
  void decompress_add(std::span<const std::byte> bytes, const polder::layout& tensors, double weight,
                      std::span<T> y) const {
    inner.template decompress_add<T>(bytes, tensors, weight, y);
  }
};

static_assert(polder::compressor<any_feedback, float>);

}  // namespace polder_train
