// polder — an algorithm is a sentence of three words.
#pragma once

namespace polder {

/// How the gradient is taken, how it becomes an update, how parameters mix: a published method is a value composed of
/// three parts. Q-SADDLe is `algorithm{sam{}, quasi_global_momentum{}, gossip{}}`.
template <class Gradient, class Update, class Mixing>
struct algorithm {
  Gradient gradient;
  Update update;
  Mixing mixing;
};

template <class Gradient, class Update, class Mixing>
algorithm(Gradient, Update, Mixing) -> algorithm<Gradient, Update, Mixing>;

}  // namespace polder
