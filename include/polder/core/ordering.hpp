// polder — how the queues of workers that share a device's memory wait for each other.
#pragma once

namespace polder::detail {

/// ordering<Space> — for memory that queues work on after the calls have returned, such as a device's streams. Whoever
/// defines such a space specializes it beside the backend:
///
///     queue                shares a queue and keeps it; empty by default, comparable; what a backend's `queue()` is
///     synchronize(queue)   the host waits for all that the queue was given
///     event                a moment on a queue; many threads may use one at a time
///       e.record(queue)    the moment is now, behind all that the queue was given; forgets the one before
///       e.hold(queue)      what the queue is given from now on begins after the moment; the host does not wait
///       e.synchronize()    the host waits for the moment
///
/// Empty where a call has taken effect when it returns: the host's memory.
template <class Space>
struct ordering {};

/// Whether work on this memory is queued.
template <class Space>
concept has_queues = requires { typename ordering<Space>::event; };

}  // namespace polder::detail
