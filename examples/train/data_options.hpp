// The options that say which images and which network: the same in every program.
#pragma once

#include <cstddef>
#include <string>

#include "train/command_line.hpp"
#include "train/images.hpp"

namespace polder_train {

/// --dataset and --data; `otherwise` says what is taken without --dataset.
inline void add_images(command_line& line, std::string& dataset, std::string& data, const std::string& otherwise) {
  line.choice("--dataset", dataset, {"fashion-mnist", "cifar10", "cifar100", "digits", "user"},
              "fashion-mnist, cifar10, cifar100 (fine labels), digits (8 x 8, shipped with polder) or user (your own "
              "files); without it " +
                  otherwise);
  line.any(
      "--data", "DIR", data,
      "folder of the data: IDX files or CIFAR's binary files, plain, .gz or .xz; train-images.npy, "
      "train-labels.npy, test-images.npy and test-labels.npy; or train.csv and test.csv with the label in the last "
      "column");
}

/// --model; `otherwise` says what is taken without it.
inline void add_model(command_line& line, std::string& model, const std::string& otherwise) {
  const std::string names =
      "lenet5, mlp, mlp:256,128 (hidden units), resnet20, resnet20:evonorm, vgg11, vgg11:evonorm, vgg11:wide";
  line.word("--model", "NAME", model, names + "; without it " + otherwise, names, is_model);
}

/// --train-limit and --test-limit.
inline void add_limits(command_line& line, std::size_t& train, std::size_t& test) {
  line.whole<std::size_t>("--train-limit", train, 1, "use so many training images, spread evenly; without it all");
  line.whole<std::size_t>("--test-limit", test, 1, "use so many test images, spread evenly; without it all");
}

}  // namespace polder_train
